import HTTPServer
import Observability
import Runtime
import Synchronization
import Testing

/// Clients that are slow, vanish, or come in crowds. The timeouts are short here and nothing depends on how short.
@Suite(.timeLimit(.minutes(3))) struct HostileClientTests {
    @Test func cutsSlowHeads() async throws {
        try await withServer({ $0.headerTimeout = .milliseconds(200) }) { port in
            let client = try RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n")
            #expect(try client.answer()?.status == 408)
            #expect(try client.isEnded())
            let silent = try RawClient(port: port)
            #expect(try silent.isEnded())
        }
    }

    @Test func cutsSlowBodies() async throws {
        try await withServer({ $0.bodyTimeout = .milliseconds(200) }) { port in
            for head in ["Content-Length: 5\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"] {
                let client = try RawClient(port: port)
                client.send("POST / HTTP/1.1\r\nHost: a\r\n" + head)
                #expect(try client.answer()?.status == 408)
                #expect(try client.isEnded())
            }
        }
    }

    @Test func closesIdleConnections() async throws {
        try await withServer({ $0.idleTimeout = .milliseconds(200) }) { port in
            let client = try RawClient(port: port)
            client.send(get("/"))
            #expect(try client.answer()?.status == 200)
            #expect(try client.isEnded())
        }
    }

    @Test func aSlowHandlerIsNotASlowClient() async throws {
        let release = StopSignal()
        let handler: @Sendable (Request) async -> Response = { request in
            if request.path == "/slow" { await release.wait() }
            return await echo(request)
        }
        try await withServer(
            {
                $0.headerTimeout = .milliseconds(100)
                $0.bodyTimeout = .milliseconds(100)
                $0.idleTimeout = .milliseconds(100)
            }, handler: handler
        ) { port in
            let client = try RawClient(port: port)
            client.send(get("/slow"))
            // By the time these have been cut, the timeouts of the first are over as well.
            for _ in 0..<3 { #expect(try RawClient(port: port).isEnded()) }
            release.stop()
            #expect(try client.answer()?.body == "GET /slow ")
        }
    }

    @Test func cutsClientsThatDoNotRead() async throws {
        let size = 64 << 20
        let handler: @Sendable (Request) async -> Response = { _ in
            Response(status: 200, body: [UInt8](repeating: 120, count: size))
        }
        let registry = MetricsRegistry()
        let open = registry.gauge("wallet_http_connections", "Open connections.")
        try await withServer({ $0.writeStallTimeout = .milliseconds(200) }, metrics: registry, handler: handler) {
            port in
            let client = try RawClient(port: port, receiveBuffer: 4096)
            client.send(get("/"))
            #expect(try client.answerBegins())
            try eventually { open.current == 0 }
            #expect(try client.drain() < size)
        }
    }

    @Test func halfClosedClientsGetTheirAnswers() async throws {
        let handler: @Sendable (Request) async -> Response = { request in
            _ = try? await runOnOwnThread("lane") {}
            return await echo(request)
        }
        try await withServer(handler: handler) { port in
            let client = try RawClient(port: port)
            client.send(get("/1") + get("/2") + "GET /half")
            client.shutdownWrite()
            #expect(try client.answer()?.body == "GET /1 ")
            #expect(try client.answer()?.body == "GET /2 ")
            #expect(try client.isEnded())
        }
    }

    @Test func answersOfVanishedClientsAreDropped() async throws {
        let registry = MetricsRegistry()
        let dropped = registry.counter(
            "wallet_http_answers_dropped_total", "Answers whose connection was gone when they were ready.")
        let open = registry.gauge("wallet_http_connections", "Open connections.")
        let (entered, release) = (StopSignal(), StopSignal())
        let releaseNext = StopSignal()
        let inFlight = registry.gauge("wallet_http_requests_in_flight", "Requests that are being answered.")
        let handler: @Sendable (Request) async -> Response = { request in
            if request.path == "/slow" {
                entered.stop()
                await release.wait()
            } else if request.path == "/next" {
                await releaseNext.wait()
            }
            return await echo(request)
        }
        try await withServer(metrics: registry, handler: handler) { port in
            let client = try RawClient(port: port)
            client.send(get("/slow"))
            #expect(entered.wait(for: .seconds(20)))
            client.reset()
            // Seen at once, while the handler is still at work.
            try eventually { open.current == 0 }
            // One of these takes over the descriptor; it must not get the first one's answer.
            let others = try (0..<32).map { _ in try RawClient(port: port) }
            for other in others { other.send(get("/next")) }
            try eventually { inFlight.current == 33 }
            release.stop()
            try eventually { inFlight.current == 32 }
            releaseNext.stop()
            for other in others { #expect(try other.answer()?.body == "GET /next ") }
        }
        #expect(dropped.current == 1)
    }

    @Test func refusesTooManyConnections() async throws {
        let registry = MetricsRegistry()
        let open = registry.gauge("wallet_http_connections", "Open connections.")
        try await withServer({ $0.maxConnections = 3 }, metrics: registry) { port in
            let clients = try (0..<3).map { _ in try RawClient(port: port) }
            for client in clients {
                client.send(get("/"))
                #expect(try client.answer()?.status == 200)
            }
            let fourth = try RawClient(port: port)
            let refusal = try #require(try fourth.answer())
            #expect(refusal.status == 503)
            #expect(refusal.head.contains("retry-after: 1"))
            #expect(try fourth.isEnded())
            fourth.close()
            clients[0].close()
            try eventually { open.current == 2 }
            let fifth = try RawClient(port: port)
            fifth.send(get("/"))
            #expect(try fifth.answer()?.status == 200)
        }
    }

    @Test func boundsTheBodiesItHolds() async throws {
        try await withServer({
            $0.bodyLimit = { _, _ in 1 << 20 }
            $0.maxBufferedBodyBytes = 300_000
        }) { port in
            for _ in 0..<3 {
                let large = try RawClient(port: port)
                large.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n")
                large.send([UInt8](repeating: 120, count: 399_000))
                #expect(try large.answer()?.status == 503)
                // What was held is given back at once, and after an answer too.
                let small = try RawClient(port: port)
                for _ in 0..<3 {
                    small.send(post("/", String(repeating: "x", count: 250_000)))
                    #expect(try small.answer()?.status == 200)
                }
            }
        }
    }

    @Test func survivesNoise() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        try await withServer({ $0.headerTimeout = .seconds(2) }) { port in
            var random = SeededGenerator(seed: seed)
            let words =
                RequestCases.refused.map(\.input) + RequestCases.accepted.map(\.input) + [get("/"), post("/", "x")]
            for _ in 0..<300 {
                let client = try RawClient(port: port)
                var bytes = Array(words[random.below(words.count)].utf8)
                for _ in 0..<random.below(4) where !bytes.isEmpty {
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                }
                for piece in random.split(bytes) { client.send(piece) }
                switch random.below(3) {
                case 0: client.reset()
                case 1:
                    client.shutdownWrite()
                    while try client.answer() != nil {}
                default: client.close()
                }
            }
            let client = try RawClient(port: port)
            client.send(post("/alive", "x"))
            #expect(try client.answer()?.body == "POST /alive x", "seed \(seed)")
        }
    }
}

/// Waits for a condition that another thread brings about, at most 20 s.
private func eventually(_ condition: () -> Bool) throws {
    for _ in 0..<10_000 {
        if condition() { return }
        _ = StopSignal().wait(for: .milliseconds(2))
    }
    throw RawClient.Failure(description: "the condition did not come about within 20 s")
}
