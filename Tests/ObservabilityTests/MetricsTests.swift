import Foundation
import Observability
import Runtime
import Testing

@Suite struct MetricsTests {
    private let registry = MetricsRegistry()

    @Test func writesPrometheusText() {
        let refusals = registry.counter(
            "wallet_refusals_total", "Refusals, \"all\" \\ of\nthem.", labels: ["code": "b"])
        registry.counter("wallet_refusals_total", "", labels: ["code": "a\"\\\n"]).increment(by: 2)
        refusals.increment()
        registry.gauge("wallet_depth", "Depth.").set(1.5)
        registry.gauge("wallet_lag", "Lag.", labels: ["b": "2", "a": "1"]) { .infinity }
        #expect(
            registry.text() == """
                # HELP wallet_depth Depth.
                # TYPE wallet_depth gauge
                wallet_depth 1.5
                # HELP wallet_lag Lag.
                # TYPE wallet_lag gauge
                wallet_lag{a="1",b="2"} +Inf
                # HELP wallet_refusals_total Refusals, "all" \\\\ of\\nthem.
                # TYPE wallet_refusals_total counter
                wallet_refusals_total{code="a\\"\\\\\\n"} 2
                wallet_refusals_total{code="b"} 1

                """)
    }

    @Test func histogramsAreCumulative() {
        let histogram = registry.histogram(
            "wallet_wait_seconds", "Wait.", labels: ["lane": "1"], buckets: .seconds([0.001, 0.5, 1]))
        histogram.observe(nanoseconds: 1_000_000)
        histogram.observe(nanoseconds: 1_000_001)
        histogram.observe(.seconds(2))
        histogram.observe(nanoseconds: -5)
        #expect(
            registry.text() == """
                # HELP wallet_wait_seconds Wait.
                # TYPE wallet_wait_seconds histogram
                wallet_wait_seconds_bucket{lane="1",le="0.001"} 2
                wallet_wait_seconds_bucket{lane="1",le="0.5"} 3
                wallet_wait_seconds_bucket{lane="1",le="1"} 3
                wallet_wait_seconds_bucket{lane="1",le="+Inf"} 4
                wallet_wait_seconds_sum{lane="1"} 2.002000001
                wallet_wait_seconds_count{lane="1"} 4

                """)
        let batches = registry.histogram("wallet_batch_commands", "Batch.", buckets: .counts)
        batches.observe(count: 512)
        batches.observe(count: 5000)
        #expect(batches.current.count == 2)
        #expect(batches.current.sum == 5512)
        #expect(registry.text().contains("wallet_batch_commands_bucket{le=\"512\"} 1\n"))
        #expect(registry.text().contains("wallet_batch_commands_bucket{le=\"4096\"} 1\n"))
    }

    @Test func resolvingTwiceGivesTheSame() {
        #expect(
            registry.counter("a_total", "A.", labels: ["x": "1", "y": "2"])
                === registry.counter("a_total", "A.", labels: ["y": "2", "x": "1"]))
        #expect(registry.gauge("g", "G.") === registry.gauge("g", "G."))
        #expect(registry.histogram("h", "H.") === registry.histogram("h", "H."))
    }

    @Test func usingANameForTwoKindsTraps() async {
        await #expect(processExitsWith: .failure) {
            let registry = MetricsRegistry()
            _ = registry.counter("a_total", "A.")
            _ = registry.gauge("a_total", "A.")
        }
        await #expect(processExitsWith: .failure) { _ = MetricsRegistry().counter("a b", "A.") }
    }

    @Test func nothingIsLostBetweenThreads() throws {
        let counter = registry.counter("c_total", "C.")
        let gauge = registry.gauge("g", "G.")
        let histogram = registry.histogram("h", "H.", buckets: .counts)
        let threads = try (0..<4).map { _ in
            try OwnedThread(name: "count") {
                for _ in 0..<10000 {
                    counter.increment()
                    gauge.add(2)
                    gauge.add(-1)
                    histogram.observe(count: 3)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(counter.current == 40000)
        #expect(gauge.current == 40000)
        #expect(histogram.current.sum == 120_000)
        #expect(histogram.current.count == 40000)
    }

    @Test func readingsMayUseTheRegistry() {
        let registry = registry
        registry.gauge("g", "G.") { Double(registry.counter("c_total", "C.").current) }
        #expect(registry.text().contains("\ng 0\n"))
    }

    @Test func theProcessIsDescribed() throws {
        registry.addProcessMetrics(version: "1.2.3")
        let text = registry.text()
        #expect(text.contains("wallet_build_info{version=\"1.2.3\"} 1\n"))
        for name in [
            "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds",
            "process_threads", "process_start_time_seconds", "process_uptime_seconds",
        ] {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") })
            let value = try #require(Double(line.split(separator: " ")[1]))
            #expect(value > 0, "\(name)")
        }
    }
}

@Suite struct TraceContextTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func readsAndWritesTheHeader() throws {
        let context = try #require(TraceContext(traceparent: Self.example))
        #expect(context.traceText == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.parentText == "00f067aa0ba902b7")
        #expect(context.isSampled)
        #expect(context.traceparent == Self.example)
        let child = context.child()
        #expect(child.traceID == context.traceID && child.parentID != context.parentID && child.isSampled)
        let made = TraceContext.random()
        #expect(TraceContext(traceparent: made.traceparent) == made)
        #expect(TraceContext(traceparent: "01" + Self.example.dropFirst(2) + "-more") != nil)
    }

    @Test(arguments: [
        "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ]) func refuses(_ text: String) {
        #expect(TraceContext(traceparent: text) == nil)
    }

    @Test func correlationIDsArePrintable() {
        #expect(CorrelationID("order 17/é") == nil)
        #expect(CorrelationID("order 17")?.text == "order 17")
        #expect(CorrelationID(String(repeating: "x", count: 128)) != nil)
        for text in ["", String(repeating: "x", count: 129), "a\nb", "a\u{7F}", " a", "a "] {
            #expect(CorrelationID(text) == nil)
        }
    }
}
