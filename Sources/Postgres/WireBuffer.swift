internal import Glibc

/// Bytes in network order that grow and are used again; no allocation once they have reached their size.
struct WireBuffer: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 64) {
        self.capacity = capacity
        self.base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    mutating func removeAll() { count = 0 }

    /// Room for `size` more bytes, counted as used: the caller fills them.
    @inline(__always)
    mutating func extend(by size: Int) -> UnsafeMutableRawPointer {
        if count &+ size > capacity { grow(by: size) }
        let place = base + count
        count &+= size
        return place
    }

    @inline(never)
    private mutating func grow(by size: Int) {
        let enlarged = max(capacity * 2, count + size)
        let other = UnsafeMutableRawPointer.allocate(byteCount: enlarged, alignment: 16)
        other.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = other
        capacity = enlarged
    }

    @inline(__always)
    mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        extend(by: MemoryLayout<T>.size).storeBytes(of: value.bigEndian, as: T.self)
    }

    @inline(__always)
    mutating func append(bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        extend(by: bytes.count).copyMemory(from: source, byteCount: bytes.count)
    }

    @inline(__always)
    mutating func overwrite(_ value: Int32, at offset: Int) {
        (base + offset).storeBytes(of: value.bigEndian, as: Int32.self)
    }
}
