import HTTPServer
import Observability
import Runtime
import Testing

@Suite(.timeLimit(.minutes(3))) struct DrainTests {
    /// A server whose handler waits for a signal on the path `/slow`.
    private struct Fixture {
        let server: HTTPServer
        let entered = StopSignal()
        let release = StopSignal()

        init(drainDeadline: Duration = .seconds(20)) throws {
            var configuration = HTTPServerConfiguration(port: 0)
            configuration.drainDeadline = drainDeadline
            server = try HTTPServer(
                configuration: configuration, logger: .silent, metrics: MetricsRegistry()
            ) { [entered, release] request in
                if request.path == "/slow" {
                    entered.stop()
                    await release.wait()
                }
                return await echo(request)
            }
        }
    }

    @Test func finishesWhatIsInFlight() async throws {
        let fixture = try Fixture()
        let port = fixture.server.port
        async let running: Void = fixture.server.run()
        let (busy, idle) = try await runOnOwnThread("client") {
            let clients = (SendableClient(try RawClient(port: port)), SendableClient(try RawClient(port: port)))
            clients.1.client.send(get("/"))
            #expect(try clients.1.client.answer()?.status == 200)
            clients.0.client.send(get("/slow"))
            #expect(fixture.entered.wait(for: .seconds(20)))
            return clients
        }
        await fixture.server.stop()
        try await runOnOwnThread("client") {
            // The idle connection ends, which also says that draining has begun.
            #expect(try idle.client.isEnded())
            #expect(throws: RawClient.Failure.self) { _ = try RawClient(port: port) }
            fixture.release.stop()
            let answer = try #require(try busy.client.answer())
            #expect(answer.body == "GET /slow ")
            #expect(answer.head.contains("connection: close"))
            #expect(try busy.client.isEnded())
        }
        try await running
    }

    @Test func servesWhatWasQueuedBeforeItStarted() async throws {
        let fixture = try Fixture()
        let port = fixture.server.port
        let clients = try await runOnOwnThread("client") {
            try (0..<20).map { index in
                let client = try RawClient(port: port)
                client.send(get("/\(index)"))
                return SendableClient(client)
            }
        }
        // Stopped before it ran: what the kernel has queued is answered nevertheless.
        await fixture.server.stop()
        async let running: Void = fixture.server.run()
        try await runOnOwnThread("client") {
            for (index, client) in clients.enumerated() {
                let answer = try client.client.answer()
                #expect(answer?.body == "GET /\(index) ")
                client.client.close()
            }
        }
        try await running
    }

    @Test func givesUpAtTheDeadline() async throws {
        let fixture = try Fixture(drainDeadline: .milliseconds(100))
        let port = fixture.server.port
        let running = Task { try await fixture.server.run() }
        let busy = try await runOnOwnThread("client") {
            let client = try RawClient(port: port)
            client.send(get("/slow"))
            #expect(fixture.entered.wait(for: .seconds(20)))
            return SendableClient(client)
        }
        await fixture.server.stop()
        await #expect(throws: HTTPServerError.self) { try await running.value }
        let isCut = try await runOnOwnThread("client") { try busy.client.isEnded() }
        #expect(isCut)
        // The handler still ends in peace.
        fixture.release.stop()
    }

    @Test func cancellationCutsTheDrainShort() async throws {
        let fixture = try Fixture()
        let port = fixture.server.port
        let running = Task { try await fixture.server.run() }
        let busy = try await runOnOwnThread("client") {
            let client = try RawClient(port: port)
            client.send(get("/slow"))
            #expect(fixture.entered.wait(for: .seconds(20)))
            return SendableClient(client)
        }
        running.cancel()
        await #expect(throws: HTTPServerError.self) { try await running.value }
        let isCut = try await runOnOwnThread("client") { try busy.client.isEnded() }
        #expect(isCut)
        fixture.release.stop()
    }

    @Test func runsOnce() async throws {
        let fixture = try Fixture()
        await fixture.server.stop()
        try await fixture.server.run()
        await #expect(throws: HTTPServerError.self) { try await fixture.server.run() }
    }
}

/// A client that is used by one thread after the other, never by two.
final class SendableClient: @unchecked Sendable {
    let client: RawClient

    init(_ client: RawClient) {
        self.client = client
    }
}
