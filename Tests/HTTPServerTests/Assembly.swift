@testable import HTTPServer

/// What a stream of bytes amounted to: one entry a request or refusal, as comparable text.
enum Assembly {
    /// Feeds `input` in the given pieces, as a connection does.
    static func results(of pieces: [[UInt8]], limits: RequestLimits = RequestLimits()) -> [String] {
        var assembler = RequestAssembler(limits: limits)
        var pending: [UInt8] = []
        var results: [String] = []
        for piece in pieces {
            pending += piece
            feeding: while true {
                let (consumed, step) = assembler.advance(pending.span)
                pending.removeFirst(consumed)
                switch step {
                case .needsMore: break feeding
                case .failed(let error): return results + ["\(error.status) \(error.code): \(error.detail)"]
                case .request(let head, let body):
                    results.append(describe(head, body))
                    assembler.reset()
                    if pending.isEmpty { break feeding }
                }
            }
        }
        let isPartial = assembler.isInBody || !pending.isEmpty
        return results + (isPartial ? ["partial"] : [])
    }

    static func results(of text: String, limits: RequestLimits = RequestLimits()) -> [String] {
        results(of: [Array(text.utf8)], limits: limits)
    }

    /// The status of the first refusal, 0 when nothing was refused.
    static func refusal(of text: String, limits: RequestLimits = RequestLimits()) -> Int {
        for result in results(of: text, limits: limits) {
            if let status = Int(result.prefix(3)) { return status }
        }
        return 0
    }

    private static func describe(_ head: RequestHead, _ body: [UInt8]) -> String {
        var text = "\(head.method.name) \(head.path)\(head.query.map { "?\($0)" } ?? "") 1.\(head.minorVersion)"
        text += head.keepsAlive ? " keep" : " close"
        for field in head.headers.all { text += "|\(field.name)=\(field.value)" }
        return text + "|" + String(decoding: body, as: UTF8.self)
    }
}

/// SplitMix64: small, and the same sequence for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// The bytes in one to `most` random pieces.
    mutating func split(_ bytes: [UInt8], most: Int = 6) -> [[UInt8]] {
        var cuts = (0..<below(most)).map { _ in below(bytes.count + 1) }
        cuts = ([0] + cuts + [bytes.count]).sorted()
        return zip(cuts, cuts.dropFirst()).map { Array(bytes[$0..<$1]) }
    }
}
