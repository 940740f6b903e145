import Glibc
import HTTPServer
import Observability
import Runtime
import Testing

@Suite(.timeLimit(.minutes(3))) struct ServerTests {
    @Test func answersOneAfterTheOther() async throws {
        try await withServer { port in
            let client = try RawClient(port: port)
            for round in 0..<50 {
                client.send(post("/a\(round)", "hello"))
                let answer = try #require(try client.answer())
                #expect(answer.status == 200)
                #expect(answer.body == "POST /a\(round) hello")
                #expect(answer.head.contains("\r\ndate: ") && answer.head.contains(" gmt\r\n"))
                #expect(!answer.head.contains("connection:"))
            }
            client.send("HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" + get("/after"))
            let head = try #require(try client.answer(expectsBody: false))
            #expect(head.head.contains("content-length: 8\r\n"))
            #expect(try client.answer()?.body == "GET /after ")
        }
    }

    @Test func answersPipelinedRequestsInOrder() async throws {
        let handler: @Sendable (Request) async -> Response = { request in
            // Answers that suspend must not be overtaken by those that do not.
            if request.path.hasSuffix("0") { await Task.yield() }
            return await echo(request)
        }
        try await withServer(handler: handler) { port in
            let client = try RawClient(port: port)
            client.send((0..<500).map { post("/\($0)", "x") }.joined())
            for round in 0..<500 { #expect(try client.answer()?.body == "POST /\(round) x") }
            client.send(get("/last", "Connection: close\r\n") + get("/never"))
            let last = try #require(try client.answer())
            #expect(last.head.contains("connection: close"))
            #expect(try client.isEnded())
        }
    }

    @Test func speaksToOldClients() async throws {
        try await withServer { port in
            let client = try RawClient(port: port)
            client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try client.answer()?.head.contains("connection: keep-alive") == true)
            client.send("GET /2 HTTP/1.0\r\n\r\n")
            #expect(try client.answer()?.head.contains("connection: close") == true)
            #expect(try client.isEnded())
        }
    }

    @Test func takesBodiesOfAllKinds() async throws {
        let large = String(repeating: "0123456789abcdef", count: 256 * 1024)
        try await withServer({ $0.bodyLimit = { _, path in path == "/large" ? 4 << 20 : 64 << 10 } }) { port in
            let client = try RawClient(port: port)
            client.send("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            client.send("2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n")
            #expect(try client.answer()?.body == "POST /c abcde")
            client.send(post("/large", large))
            #expect(try client.answer()?.body == "POST /large " + large)
            client.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.answer()?.status == 100)
            client.send("ok")
            #expect(try client.answer()?.body == "POST /e ok")
            // Refused before the body is sent, and without inviting it.
            client.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.answer()?.status == 413)
            #expect(try client.isEnded())
        }
    }

    @Test func anAnswerSurvivesWhatTheClientStillSends() async throws {
        try await withServer { port in
            let client = try RawClient(port: port)
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            client.send([UInt8](repeating: 120, count: 1_000_000))
            #expect(try client.answer()?.status == 413)
            client.close()
        }
    }

    @Test func rendersRefusalsAsConfigured() async throws {
        let render: @Sendable (ProtocolError) -> Response = { error in
            Response(
                status: error.status, headers: ResponseHeaders([("X-Code", error.code)]), body: Array(error.detail.utf8)
            )
        }
        let registry = MetricsRegistry()
        try await withServer({ $0.protocolError = render }, metrics: registry) { port in
            let client = try RawClient(port: port)
            client.send(get("/1") + "GET / HTTP/2.0\r\n\r\n")
            #expect(try client.answer()?.status == 200)
            let refusal = try #require(try client.answer())
            #expect(refusal.status == 505)
            #expect(refusal.head.contains("x-code: unknown_http_version") && refusal.head.contains("connection: close"))
            #expect(refusal.body.contains("HTTP/1.1"))
            #expect(try client.isEnded())
        }
        #expect(registry.text().contains("wallet_http_protocol_errors_total{status=\"505\"} 1"))
    }

    @Test func handlersRunOnTheLoop() async throws {
        let handler: @Sendable (Request) async -> Response = { _ in
            let before = threadName()
            // Resumed from another thread, the handler must come back to its own.
            _ = try? await runOnOwnThread("elsewhere") {}
            return Response(status: 200, body: Array("\(before) \(threadName())".utf8))
        }
        try await withServer(handler: handler) { port in
            let client = try RawClient(port: port)
            for _ in 0..<20 {
                client.send(get("/"))
                #expect(try client.answer()?.body == "http-0 http-0")
            }
        }
    }

    @Test func manyClientsOnSeveralLoops() async throws {
        let handler: @Sendable (Request) async -> Response = { request in
            _ = try? await runOnOwnThread("lane") {}
            return await echo(request)
        }
        try await withServer({ $0.loops = 2 }, handler: handler) { port in
            let clients = try (0..<40).map { _ in try RawClient(port: port) }
            for round in 0..<5 {
                for (index, client) in clients.enumerated() { client.send(post("/\(index)", "\(round)")) }
                for (index, client) in clients.enumerated() {
                    #expect(try client.answer()?.body == "POST /\(index) \(round)")
                }
            }
        }
    }

    @Test func listensOnEveryKindOfAddress() async throws {
        for host in ["127.0.0.1", "::1", "localhost", "0.0.0.0"] {
            let configuration = HTTPServerConfiguration(host: host, port: 0)
            let server = try HTTPServer(
                configuration: configuration, logger: .silent, metrics: MetricsRegistry(), handler: echo)
            #expect(server.port > 0)
        }
        #expect(throws: HTTPServerError.self) {
            let configuration = HTTPServerConfiguration(host: "256.0.0.1", port: 0)
            _ = try HTTPServer(configuration: configuration, logger: .silent, metrics: MetricsRegistry(), handler: echo)
        }
    }

    @Test func refusesAPortInUse() async throws {
        try await withServer { port in
            #expect(throws: HTTPServerError.self) {
                let configuration = HTTPServerConfiguration(port: port)
                _ = try HTTPServer(
                    configuration: configuration, logger: .silent, metrics: MetricsRegistry(), handler: echo)
            }
        }
    }
}

/// The calling thread's name as the system shows it.
private func threadName() -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    let descriptor = open("/proc/thread-self/comm", O_RDONLY)
    defer { close(descriptor) }
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes[..<max(0, count - 1)], as: UTF8.self)
}
