import Glibc

/// One result of a batch within the bytes of its answer.
struct BatchItem: Equatable {
    /// What the operation's own route would have answered.
    let status: Int
    /// Where its object stands.
    let bytes: Range<Int>
}

/// Finds the results in a batch's answer without reading them: an answer of a thousand is some 700 kB. Relies on the
/// form the service writes, without blanks and each result beginning with its place and its status, and refuses any
/// other.
enum BatchAnswer {
    private static let head: StaticString = #"{"results":["#
    private static let mark: StaticString = #"{"index":"#
    private static let statusName: StaticString = #","status":"#

    /// The results in their order; nil when the body is no such list, or one is missing, twice there or out of order.
    static func items(in body: Span<UInt8>) -> [BatchItem]? {
        body.withUnsafeBufferPointer { items(in: $0) }
    }

    private static func items(in body: UnsafeBufferPointer<UInt8>) -> [BatchItem]? {
        guard matches(head, body, 0), matches("]}", body, body.count - 2) else { return nil }
        var position = head.utf8CodeUnitCount
        var items: [BatchItem] = []
        var open: (status: Int, start: Int)?
        // A brace inside a text is not followed by the mark: its quotes would be escaped there.
        while let brace = index(of: UInt8(ascii: "{"), body, from: position) {
            position = brace + 1
            guard matches(mark, body, brace) else { continue }
            var next = brace + mark.utf8CodeUnitCount
            guard number(body, &next) == items.count + (open == nil ? 0 : 1), matches(statusName, body, next) else {
                return nil
            }
            next += statusName.utf8CodeUnitCount
            guard let status = number(body, &next) else { return nil }
            if let open {
                guard body[brace - 1] == UInt8(ascii: ",") else { return nil }
                items.append(BatchItem(status: open.status, bytes: open.start..<(brace - 1)))
            }
            open = (status, brace)
            position = next
        }
        if let open { items.append(BatchItem(status: open.status, bytes: open.start..<(body.count - 2))) }
        return items
    }

    private static func index(of byte: UInt8, _ body: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        guard let base = body.baseAddress, start < body.count,
            let found = memchr(base + start, Int32(byte), body.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private static func matches(_ text: StaticString, _ body: UnsafeBufferPointer<UInt8>, _ start: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard let base = body.baseAddress, start >= 0, body.count - start >= count else { return false }
        return memcmp(base + start, text.utf8Start, count) == 0
    }

    /// The number of one to nine digits at `position`, which is moved behind it.
    private static func number(_ body: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> Int? {
        let start = position
        var value = 0
        while position < body.count, (48...57).contains(body[position]) {
            guard position - start < 9 else { return nil }
            value = value * 10 + Int(body[position] - 48)
            position += 1
        }
        return position > start ? value : nil
    }
}
