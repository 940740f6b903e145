import Foundation
import Runtime
import Testing

@testable import HTTPServer

/// Requests, whole and damaged, read by this parser and by Python's h11, which other people wrote.
///
/// This parser must never accept what h11 refuses nor read it differently, except that it skips one empty line before
/// a request. It refuses more, and each such refusal must be one of `stricter`.
@Suite(.timeLimit(.minutes(5))) struct DifferentialTests {
    @Test func agreesWithAnotherParser() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var inputs = (RequestCases.accepted.map(\.input) + RequestCases.refused.map(\.input)).map { Array($0.utf8) }
        for _ in 0..<2_000 { inputs.append(random.request()) }
        let sent = inputs
        let theirs = try await runOnOwnThread("h11") { try Self.h11(sent) }
        try #require(theirs.count == inputs.count)
        var agreed = 0
        for (input, their) in zip(inputs, theirs) {
            let ours = Self.first(input)
            let shown = "seed \(seed): \(String(decoding: input.prefix(400), as: UTF8.self).debugDescription)"
            switch (ours.isRefusal, their == "refused") {
            case (true, true): agreed += 1
            case (false, false):
                // One that waits for more may learn of a mistake later than the other.
                #expect(ours.text == their || ours.text == "partial" || their == "partial", "\(shown)")
                agreed += 1
            case (false, true): #expect(ours.text == "partial" || input.first == 0x0D, "\(ours.text) \(shown)")
            // Refused before the end that the other waits for.
            case (true, false) where their == "partial": agreed += 1
            case (true, false): #expect(Self.stricter.contains(ours.text), "\(ours.text) \(their) \(shown)")
            }
        }
        #expect(agreed > inputs.count / 2)
    }

    /// Why this parser refuses what h11 lets pass.
    private static let stricter: Set<String> = [
        "A line does not end in carriage return and line feed.",
        "A header field has a malformed name.",
        "A header field holds a control character.",
        "A chunk extension is malformed or too long.",
        "A chunk size does not end in CR LF.",
        "A trailer line does not end in CR LF.",
        "A chunk size is malformed.",
        "A percent sign is not followed by two hexadecimal digits.",
        "Content-Length and Transfer-Encoding exclude each other.",
        "Content-Length appears twice.",
        "Content-Length is not a plain decimal number.",
        "HTTP/1.0 has no transfer encodings.",
        "Only 100-continue can be expected.",
        "Only HTTP/1.1 and HTTP/1.0 are spoken.",
        "The header fields are too large or too many.",
        "The Host field is malformed.",
        "The request target holds a byte that must be percent-encoded.",
        "The request target is not a path.",
        "The request target names a malformed host.",
        "The request target names no host.",
        "The target * is for OPTIONS alone.",
    ]

    private static func first(_ input: [UInt8]) -> (text: String, isRefusal: Bool) {
        var assembler = RequestAssembler(limits: RequestLimits())
        switch assembler.advance(input.span).step {
        case .needsMore: return ("partial", false)
        case .failed(let error): return (error.detail, true)
        case .request(let head, let body):
            var text = "\(head.method.name) \(head.path)\(head.query.map { "?\($0)" } ?? "") 1.\(head.minorVersion)"
            for field in head.headers.all {
                let name = field.name.lowercased()
                // h11 shows this one value in small letters.
                text += "|\(name)=\(name == "transfer-encoding" ? field.value.lowercased() : field.value)"
            }
            return (text + "|" + String(decoding: body, as: UTF8.self), false)
        }
    }

    private static func h11(_ inputs: [[UInt8]]) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = FileManager.default.temporaryDirectory.appending(path: "h11-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let lines = inputs.map { Data($0).base64EncodedString() }.joined(separator: "\n")
        let input = folder.appending(path: "input")
        let output = folder.appending(path: "output")
        try Data((lines + "\n").utf8).write(to: input)
        // Does nothing when the environment is there already.
        try run(root.appending(path: "scripts/python-env"), [])
        try run(root.appending(path: ".local/python/bin/python"), ["-c", program, input.path, output.path])
        return try String(decoding: Data(contentsOf: output), as: UTF8.self).split(separator: "\n").map { line in
            String(decoding: Data(base64Encoded: String(line)) ?? Data(), as: UTF8.self)
        }
    }

    private static func run(_ executable: URL, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(executable.lastPathComponent) failed")
    }

    /// Reads base64 lines and writes, for each, what the first request in it is: its parts, `partial` or `refused`.
    private static let program = """
        import base64, re, sys, h11

        def text(value):
            try:
                value.decode()
                return value
            except UnicodeDecodeError:
                return value.decode("latin-1").encode()

        def first(data):
            connection = h11.Connection(h11.SERVER, max_incomplete_event_size=16384)
            if not data:
                return b"partial"
            connection.receive_data(data)
            head, body = None, b""
            try:
                while True:
                    event = connection.next_event()
                    if event is h11.NEED_DATA or event is h11.PAUSED:
                        return b"partial"
                    if isinstance(event, h11.Request):
                        head = event
                    elif isinstance(event, h11.Data):
                        body += bytes(event.data)
                    elif isinstance(event, h11.EndOfMessage):
                        break
                    else:
                        raise ValueError(event)
            except h11.RemoteProtocolError:
                return b"refused"
            target = head.target
            if target.lower().startswith(b"http://"):
                target = re.sub(b"^[^/?]*", b"", target[7:])
                target = target if target.startswith(b"/") else b"/" + target
            parts = [head.method + b" " + target + b" " + head.http_version]
            parts += [bytes(name) + b"=" + text(bytes(value)) for name, value in head.headers]
            return b"|".join(parts + [body])

        with open(sys.argv[1]) as lines, open(sys.argv[2], "wb") as output:
            for line in lines:
                output.write(base64.b64encode(first(base64.b64decode(line.strip())) or b" ") + b"\\n")
        """
}

extension SeededGenerator {
    /// A request of customary parts, in half of the cases damaged at one to three places.
    fileprivate mutating func request() -> [UInt8] {
        let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "X-Y"]
        let targets = ["/", "/a/b", "/a?b=c&d", "/%20", "/a;b", "//", "/?", "/~a!$&'()*+,=:@"]
        var text = "\(methods[below(8)]) \(targets[below(8)]) HTTP/1.\(below(8) == 0 ? 0 : 1)\r\nHost: a\r\n"
        for _ in 0..<below(4) {
            text +=
                ["X-A: b\r\n", "Accept: */*\r\n", "X-B:\tc d \r\n", "Connection: close\r\n", "X-C:\r\n", "x: ü\r\n"][
                    below(6)]
        }
        switch below(3) {
        case 0: text += "\r\n"
        case 1: text += "Content-Length: 5\r\n\r\nhello"
        default:
            text +=
                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + ["", "A;x=y\r\n0123456789\r\n"][below(2)]
                + "0\r\n\r\n"
        }
        var bytes = Array(text.utf8)
        guard below(2) == 0 else { return bytes }
        let interesting = Array("\r\n \t:;,/%?0159afAFxX=\"".utf8) + [0x00, 0x01, 0x0B, 0x7F, 0x80, 0xFF]
        for _ in 0...below(3) {
            let index = below(bytes.count)
            switch below(3) {
            case 0: bytes.remove(at: index)
            case 1: bytes[index] = interesting[below(interesting.count)]
            default: bytes.insert(interesting[below(interesting.count)], at: index)
            }
        }
        return bytes
    }
}
