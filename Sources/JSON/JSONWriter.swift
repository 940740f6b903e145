/// Writes one JSON document without white space into a growing buffer.
///
/// Commas are placed by the writer; the order of calls is the caller's: a `name` before each value of an object.
/// ```
/// var writer = JSONWriter()
/// writer.beginObject()
/// writer.member("id", id.text)
/// writer.member("version", version)
/// writer.endObject()
/// let body = writer.finish()
/// ```
public struct JSONWriter: Sendable {
    // The buffer is kept filled with zeros up to its size and written through one pointer a call: appending byte by
    // byte costs about four times as much.
    @usableFromInline var storage: [UInt8]
    @usableFromInline var count = 0
    @usableFromInline var needsComma = false

    /// Makes a writer whose buffer holds `capacity` bytes before it has to grow.
    @inlinable
    public init(capacity: Int = 512) {
        storage = [UInt8](repeating: 0, count: max(capacity, 64))
    }

    /// How many bytes were written.
    public var byteCount: Int { count }

    /// The bytes written so far.
    @inlinable
    public var bytes: [UInt8] { Array(storage[0..<count]) }

    /// Ends the document and returns its bytes, without a copy; the writer is empty afterwards.
    @inlinable
    public mutating func finish() -> [UInt8] {
        // Taken out of the writer first: what two variables hold is copied when it is shortened.
        var result: [UInt8] = []
        swap(&result, &storage)
        result.removeLast(result.count - count)
        removeAll()
        return result
    }

    /// Begins another document behind what was written and `gap` bytes more, which are zero until they are overwritten:
    /// for several documents in one buffer.
    public mutating func startDocument(after gap: Int) {
        reserve(gap)
        for index in count..<count + gap { storage[index] = 0 }
        count += gap
        needsComma = false
    }

    /// Replaces bytes that were written.
    public mutating func overwrite(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= count, "only what was written is overwritten")
        storage.withUnsafeMutableBytes { buffer in
            UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyMemory(from: bytes)
        }
    }

    /// Empties the writer, keeping its buffer.
    @inlinable
    public mutating func removeAll() {
        count = 0
        needsComma = false
    }

    /// Opens an object.
    @inlinable
    public mutating func beginObject() { open(UInt8(ascii: "{")) }

    /// Closes the innermost object.
    @inlinable
    public mutating func endObject() { close(UInt8(ascii: "}")) }

    /// Opens an array.
    @inlinable
    public mutating func beginArray() { open(UInt8(ascii: "[")) }

    /// Closes the innermost array.
    @inlinable
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes a member's name that needs no escaping; its value must follow.
    @inlinable
    public mutating func name(_ name: StaticString) {
        let length = name.utf8CodeUnitCount
        reserve(length + 4)
        var cursor = count
        let comma = needsComma
        storage.withUnsafeMutableBufferPointer { buffer in
            if comma {
                buffer[cursor] = UInt8(ascii: ",")
                cursor += 1
            }
            buffer[cursor] = UInt8(ascii: "\"")
            JSONWriter.copy(UnsafeBufferPointer(start: name.utf8Start, count: length), to: buffer, at: cursor + 1)
            cursor += length + 1
            buffer[cursor] = UInt8(ascii: "\"")
            buffer[cursor + 1] = UInt8(ascii: ":")
        }
        count = cursor + 2
        needsComma = false
    }

    /// Writes a member's name, escaped where needed; its value must follow.
    public mutating func name(_ name: String) {
        string(name)
        append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a string: quotes, backslashes and control characters are escaped, nothing else.
    public mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { source in
            // Without an early exit the compiler turns this loop into vector instructions.
            var hasEscapes: UInt8 = 0
            for byte in source {
                hasEscapes |= (byte < 0x20 ? 1 : 0) | (byte == UInt8(ascii: "\"") ? 1 : 0)
                hasEscapes |= byte == UInt8(ascii: "\\") ? 1 : 0
            }
            if hasEscapes == 0 { quote(source) } else { quoteEscaping(source) }
        }
        needsComma = true
    }

    /// Writes a number from its text, which must follow JSON's grammar.
    public mutating func number(text: String) {
        raw(text)
    }

    /// Writes a whole number.
    @inlinable
    public mutating func integer(_ value: Int64) {
        reserve(21)
        separate()
        var magnitude = value.magnitude
        var length = value < 0 ? 2 : 1
        var rest = magnitude
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        let start = count
        storage.withUnsafeMutableBufferPointer { buffer in
            if value < 0 { buffer[start] = UInt8(ascii: "-") }
            var cursor = start + length
            repeat {
                cursor -= 1
                buffer[cursor] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
                magnitude /= 10
            } while magnitude > 0
        }
        count += length
        needsComma = true
    }

    /// Writes `true` or `false`.
    public mutating func boolean(_ value: Bool) {
        raw(value ? "true" : "false")
    }

    /// Writes `null`.
    public mutating func null() {
        raw("null")
    }

    /// Writes bytes that are one complete JSON value already.
    public mutating func raw(_ value: some Collection<UInt8>) {
        let contiguous: Void? = value.withContiguousStorageIfAvailable { source in
            reserve(source.count + 1)
            separate()
            appendReserved(source)
        }
        if contiguous == nil {
            raw(Array(value))
            return
        }
        needsComma = true
    }

    /// Writes a text that is one complete JSON value already.
    public mutating func raw(_ value: String) {
        var value = value
        value.withUTF8 { source in
            reserve(source.count + 1)
            separate()
            appendReserved(source)
        }
        needsComma = true
    }
}

// MARK: - Members

extension JSONWriter {
    /// Writes a string of characters that need no escaping: `fill` writes at most `capacity` bytes of UTF-8 to the
    /// start of the buffer it is lent, and returns their number.
    @inlinable
    public mutating func string(upTo capacity: Int, _ fill: (UnsafeMutableBufferPointer<UInt8>) -> Int) {
        reserve(capacity + 3)
        separate()
        let start = count
        let length = storage.withUnsafeMutableBufferPointer { buffer in
            buffer[start] = UInt8(ascii: "\"")
            let room = UnsafeMutableBufferPointer(rebasing: buffer[start + 1..<start + 1 + capacity])
            let length = fill(room)
            precondition(length >= 0 && length <= capacity, "more bytes than were announced")
            buffer[start + 1 + length] = UInt8(ascii: "\"")
            return length
        }
        count = start + length + 2
        needsComma = true
    }
}

extension JSONWriter {
    /// Writes a member holding a string.
    @inlinable
    public mutating func member(_ name: StaticString, _ value: String) {
        self.name(name)
        string(value)
    }

    /// Writes a member holding a string, or `null`.
    @inlinable
    public mutating func member(_ name: StaticString, _ value: String?) {
        self.name(name)
        if let value { string(value) } else { null() }
    }

    /// Writes a member holding a whole number.
    @inlinable
    public mutating func member(_ name: StaticString, _ value: Int64) {
        self.name(name)
        integer(value)
    }

    /// Writes a member holding a whole number.
    @inlinable
    public mutating func member(_ name: StaticString, _ value: Int) {
        self.name(name)
        integer(Int64(value))
    }

    /// Writes a member holding `true` or `false`.
    @inlinable
    public mutating func member(_ name: StaticString, _ value: Bool) {
        self.name(name)
        boolean(value)
    }

    /// Writes a member holding bytes that are one complete JSON value already.
    @inlinable
    public mutating func member(_ name: StaticString, raw value: [UInt8]) {
        self.name(name)
        raw(value)
    }

    /// Writes a member holding an object, whose members `body` writes.
    @inlinable
    public mutating func object(_ name: StaticString, _ body: (inout JSONWriter) throws -> Void) rethrows {
        self.name(name)
        try object(body)
    }

    /// Writes a member holding an array, whose elements `body` writes.
    @inlinable
    public mutating func array(_ name: StaticString, _ body: (inout JSONWriter) throws -> Void) rethrows {
        self.name(name)
        beginArray()
        try body(&self)
        endArray()
    }

    /// Writes an object, whose members `body` writes.
    @inlinable
    public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginObject()
        try body(&self)
        endObject()
    }
}

// MARK: - Buffer

extension JSONWriter {
    @inlinable
    mutating func reserve(_ length: Int) {
        guard storage.count - count < length else { return }
        storage.append(contentsOf: repeatElement(0, count: max(length, storage.count)))
    }

    /// Writes the comma before a value that follows another; room for it has been reserved.
    @inlinable
    mutating func separate() {
        guard needsComma else { return }
        storage[count] = UInt8(ascii: ",")
        count += 1
    }

    @inlinable
    mutating func append(_ byte: UInt8) {
        reserve(1)
        storage[count] = byte
        count += 1
    }

    @inlinable
    mutating func open(_ byte: UInt8) {
        reserve(2)
        separate()
        storage[count] = byte
        count += 1
        needsComma = false
    }

    @inlinable
    mutating func close(_ byte: UInt8) {
        append(byte)
        needsComma = true
    }

    /// Copies `source` to a place in `buffer` that has been reserved.
    @inlinable
    static func copy(
        _ source: UnsafeBufferPointer<UInt8>, to buffer: UnsafeMutableBufferPointer<UInt8>, at offset: Int
    ) {
        precondition(buffer.count - offset >= source.count, "no room was reserved")
        guard let from = source.baseAddress, let base = buffer.baseAddress else { return }
        (base + offset).update(from: from, count: source.count)
    }

    private mutating func appendReserved(_ source: UnsafeBufferPointer<UInt8>) {
        let start = count
        storage.withUnsafeMutableBufferPointer { buffer in
            JSONWriter.copy(source, to: buffer, at: start)
        }
        count += source.count
    }

    private mutating func quote(_ source: UnsafeBufferPointer<UInt8>) {
        reserve(source.count + 3)
        var cursor = count
        let comma = needsComma
        storage.withUnsafeMutableBufferPointer { buffer in
            if comma {
                buffer[cursor] = UInt8(ascii: ",")
                cursor += 1
            }
            buffer[cursor] = UInt8(ascii: "\"")
            JSONWriter.copy(source, to: buffer, at: cursor + 1)
            cursor += source.count + 1
            buffer[cursor] = UInt8(ascii: "\"")
        }
        count = cursor + 1
    }

    private mutating func quoteEscaping(_ source: UnsafeBufferPointer<UInt8>) {
        // Six bytes is the longest escape of one byte.
        reserve(6 * source.count + 3)
        separate()
        append(UInt8(ascii: "\""))
        for byte in source { appendEscaped(byte) }
        append(UInt8(ascii: "\""))
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): appendEscape(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): appendEscape(UInt8(ascii: "\\"))
        case 0x0A: appendEscape(UInt8(ascii: "n"))
        case 0x0D: appendEscape(UInt8(ascii: "r"))
        case 0x09: appendEscape(UInt8(ascii: "t"))
        case 0x08: appendEscape(UInt8(ascii: "b"))
        case 0x0C: appendEscape(UInt8(ascii: "f"))
        case 0x00..<0x20:
            appendEscape(UInt8(ascii: "u"))
            for digit in [0, 0, byte >> 4, byte & 0xF] {
                storage[count] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                count += 1
            }
        default:
            storage[count] = byte
            count += 1
        }
    }

    private mutating func appendEscape(_ letter: UInt8) {
        storage[count] = UInt8(ascii: "\\")
        storage[count + 1] = letter
        count += 2
    }
}
