import Foundation
import Glibc
import Observability
import Runtime
import Synchronization
import Testing

/// Collects lines.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var sink: LogSink {
        LogSink { line in self.lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
    }

    var all: [String] { lines.withLock { $0 } }
}

@Suite struct LoggerTests {
    private let lines = Lines()
    private let clock = Clock(wallMicroseconds: { 1_795_255_200_000_042 }, monotonicNanoseconds: { 0 })

    private func logger(_ format: Logger.Format = .json, _ level: Logger.Level = .info) -> Logger {
        Logger(level: level, format: format, sink: lines.sink, fields: ["service": "api"], clock: clock)
    }

    private func object(_ line: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test func writesOneObjectALine() throws {
        let logger = logger().with(requestID: "r1", correlationID: "c1")
        logger.info("started", ["port": 8089, "ok": true, "took": 1.5, "who": "\(1 + 1)", "service": "worker"])
        #expect(
            lines.all == [
                #"{"time":"2026-11-21T10:00:00.000042Z","level":"info","message":"started","service":"worker","#
                    + #""request_id":"r1","correlation_id":"c1","port":8089,"ok":true,"took":1.5,"who":"2"}"# + "\n"
            ])
        _ = try object(lines.all[0])
    }

    @Test func escapesEverything() throws {
        let hostile = "a\"b\\c\n\r\t\u{0}\u{1F}\u{7F}é\u{2028}"
        logger().error(
            hostile, ["x": .string(hostile), "nan": .double(.nan), "inf": .double(-.infinity), "level": "x"])
        let line = try #require(lines.all.first)
        #expect(line.filter { $0 == "\n" }.count == 1)
        let object = try object(line)
        #expect(object["message"] as? String == hostile)
        #expect(object["x"] as? String == hostile)
        #expect(object["nan"] as? String == "nan")
        #expect(object["level"] as? String == "error")
        #expect(object["field_level"] as? String == "x")
    }

    @Test func masksPasswords() throws {
        for format in [Logger.Format.json, .text] {
            let logger = logger(format)
            logger.info("lost postgres://u:hidden@h", ["url": "nats://u:hidden@h", "error": "password=hidden x"])
            logger.with(["url": "nats://u:hidden@h"]).info("again")
        }
        #expect(lines.all.count == 4)
        #expect(!lines.all.joined().contains("hidden"))
    }

    @Test func belowTheLevelNothingIsEvaluated() {
        let evaluated = Mutex(0)
        func count() -> String {
            evaluated.withLock { $0 += 1 }
            return "x"
        }
        let logger = logger(.json, .warning)
        logger.info(count(), ["x": .string(count())])
        logger.trace(count())
        Logger.silent.error(count())
        #expect(evaluated.withLock { $0 } == 0)
        #expect(!logger.isEnabled(.debug) && logger.isEnabled(.error))
        logger.warning(count())
        #expect(lines.all.count == 1)
    }

    @Test func textIsForPeopleAndCannotBeForged() {
        logger(.text).warning("a\nb", ["id": "x1", "why": "two words", "esc": "\u{1B}[31m", "n": 3])
        #expect(
            lines.all == [
                "2026-11-21T10:00:00.000042Z WARNING a b service=api id=x1 why=\"two words\" "
                    + "esc=\"\\u001b[31m\" n=3\n"
            ])
    }

    @Test func longLinesAreCutAndStayValid() throws {
        let long = String(repeating: "ä\"", count: 20000)
        logger().info(long, ["a": .string(long), "b": .string(long), "c": .string(long), "d": .string(long)])
        let line = try #require(lines.all.first)
        #expect(line.utf8.count < 20000)
        #expect(try object(line)["cut"] as? Bool == true)
    }

    @Test func fieldsKeepOrderAndReplace() {
        var fields: LogFields = ["a": 1, "b": 2, "a": 3]
        #expect(fields == ["a": 3, "b": 2])
        fields["b"] = nil
        #expect(fields.merging(["c": 4, "a": 5]) == ["a": 5, "c": 4])
        #expect(LogValue.milliseconds(.microseconds(1500)) == .double(1.5))
        #expect(LogValue.describing(7) == "7")
    }
}

@Suite struct LogSinkTests {
    private func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private func contents(of descriptor: Int32) -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += buffer.prefix(count)
        }
    }

    @Test func aReaderThatSleepsCostsLinesNotTime() throws {
        let pipe = try pipe()
        let sink = LogSink(descriptor: pipe.writing)
        let logger = Logger(format: .json, sink: sink)
        var written = 0
        while sink.droppedLines == 0 {
            logger.info("line", ["padding": .string(String(repeating: "x", count: 1000))])
            written += 1
            try #require(written < 1000)
        }
        for _ in 0..<10 { logger.info("dropped") }
        #expect(sink.droppedLines == 11)
        var buffer = [UInt8](repeating: 0, count: 16384)
        #expect(read(pipe.reading, &buffer, buffer.count) == buffer.count)
        logger.info("reads again")
        close(pipe.writing)
        let rest = contents(of: pipe.reading)
        close(pipe.reading)
        #expect(rest.contains(#""message":"reads again"}"#))
        #expect(rest.contains(#""message":"log lines were dropped","dropped":11}"#))
    }

    @Test func linesOfManyThreadsStayWhole() throws {
        let path = NSTemporaryDirectory() + "wallet-log-\(UUID().uuidString)"
        defer { unlink(path) }
        let descriptor = open(path, O_CREAT | O_WRONLY | O_APPEND, 0o600)
        defer { close(descriptor) }
        let logger = Logger(format: .auto, sink: LogSink(descriptor: descriptor))
        let threads = try (0..<4).map { number in
            try OwnedThread(name: "log") { for line in 0..<500 { logger.info("x", ["n": .int(number * 500 + line)]) } }
        }
        for thread in threads { thread.join() }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let numbers = try lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["n"] as? Int)
        }
        #expect(numbers.sorted() == Array(0..<2000))
    }
}
