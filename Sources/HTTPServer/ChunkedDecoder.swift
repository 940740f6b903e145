/// Decodes a chunked body as it arrives. Extensions and trailer fields are checked and dropped, within bounds.
struct ChunkedDecoder: Sendable {
    enum Outcome: Equatable, Sendable {
        case needsMore
        case complete
        case failed(ProtocolError)
    }

    private enum State: Sendable {
        case size(digits: Int)
        case chunkExtension
        case sizeLineFeed
        case data
        case dataReturn
        case dataLineFeed
        case trailer
        case done
    }

    /// Bytes of extensions and of trailer fields that a request may carry.
    private static let maxExtensionBytes = 4096
    private static let maxTrailerBytes = 8192
    /// Eight digits are 4 GiB: more is refused before it can overflow anything.
    private static let maxSizeDigits = 8

    private let limit: Int
    private var state = State.size(digits: 0)
    /// The size being read, then what is left of the chunk.
    private var remaining = 0
    private var extensionBytes = 0
    private var trailerLine: [UInt8] = []
    private var trailerBytes = 0

    /// A decoder that refuses bodies of more than `limit` bytes.
    init(limit: Int) {
        self.limit = limit
    }

    /// Takes bytes of `input`, appending decoded ones to `body`; `consumed` is how many were taken.
    mutating func decode(
        _ input: Span<UInt8>, into body: inout [UInt8]
    ) -> (consumed: Int, outcome: Outcome) {
        var index = 0
        do throws(ProtocolError) {
            while index < input.count {
                if case .data = state {
                    index += takeData(input, from: index, into: &body)
                    continue
                }
                try step(input[index], bodyCount: body.count)
                index += 1
                if case .done = state { return (index, .complete) }
            }
            return (index, .needsMore)
        } catch {
            return (index, .failed(error))
        }
    }

    private mutating func takeData(_ input: Span<UInt8>, from start: Int, into body: inout [UInt8]) -> Int {
        let count = min(remaining, input.count - start)
        input.extracting(start..<start + count).withUnsafeBufferPointer { body.append(contentsOf: $0) }
        remaining -= count
        if remaining == 0 { state = .dataReturn }
        return count
    }

    private mutating func step(_ byte: UInt8, bodyCount: Int) throws(ProtocolError) {
        switch state {
        case .size(let digits): try stepSize(byte, digits: digits, bodyCount: bodyCount)
        case .chunkExtension:
            if byte == 0x0D {
                state = .sizeLineFeed
                return
            }
            extensionBytes += 1
            guard isFieldValueByte(byte), byte < 0x80, extensionBytes <= Self.maxExtensionBytes else {
                throw .malformed("A chunk extension is malformed or too long.")
            }
        case .sizeLineFeed:
            guard byte == 0x0A else { throw .malformed("A chunk size does not end in CR LF.") }
            state = remaining == 0 ? .trailer : .data
        case .dataReturn:
            guard byte == 0x0D else { throw .malformed("A chunk does not end where its size says.") }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == 0x0A else { throw .malformed("A chunk does not end in CR LF.") }
            state = .size(digits: 0)
        case .trailer: try stepTrailer(byte)
        case .data, .done: break
        }
    }

    private mutating func stepSize(_ byte: UInt8, digits: Int, bodyCount: Int) throws(ProtocolError) {
        if let value = hexadecimalValue(byte) {
            guard digits < Self.maxSizeDigits else { throw .malformed("A chunk size is too long.") }
            remaining = digits == 0 ? value : remaining << 4 | value
            state = .size(digits: digits + 1)
            return
        }
        guard digits > 0 else { throw .malformed("A chunk size is missing.") }
        guard remaining <= limit - bodyCount else { throw .bodyTooLarge }
        switch byte {
        case 0x0D: state = .sizeLineFeed
        case UInt8(ascii: ";"): state = .chunkExtension
        default: throw .malformed("A chunk size is malformed.")
        }
    }

    private mutating func stepTrailer(_ byte: UInt8) throws(ProtocolError) {
        trailerBytes += 1
        guard trailerBytes <= Self.maxTrailerBytes else { throw .headTooLarge }
        guard byte == 0x0A else {
            trailerLine.append(byte)
            return
        }
        guard trailerLine.popLast() == 0x0D else { throw .malformed("A trailer line does not end in CR LF.") }
        if trailerLine.isEmpty {
            state = .done
            return
        }
        _ = try FieldLine(trailerLine.span, 0..<trailerLine.count)
        trailerLine.removeAll(keepingCapacity: true)
    }
}
