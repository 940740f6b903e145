import Glibc
import Runtime
import Synchronization
import Testing

/// What happened, in order.
private final class Diary: Sendable {
    private let lines = Mutex<[String]>([])

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    var entries: [String] { lines.withLock { $0 } }
}

private struct Boom: Error {}

/// A service that runs until it is stopped, or ends as told.
private struct Worker: Service {
    enum Ending: Sendable {
        case whenStopped
        case failsWhenStopped
        case atOnce
        case fails
        case never
    }

    let name: String
    var ending = Ending.whenStopped
    let diary: Diary
    let signal = StopSignal()

    func run() async throws {
        diary.note("run \(name)")
        switch ending {
        case .whenStopped: await signal.wait()
        case .failsWhenStopped:
            await signal.wait()
            throw Boom()
        case .atOnce: return
        case .fails: throw Boom()
        // Not even cancelling helps.
        case .never: await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
        diary.note("end \(name)")
    }

    func stop() async {
        diary.note("stop \(name)")
        signal.stop()
    }
}

@Suite struct ServiceGroupTests {
    private let diary = Diary()

    private func worker(_ name: String, _ ending: Worker.Ending = .whenStopped) -> Worker {
        Worker(name: name, ending: ending, diary: diary)
    }

    private func run(
        _ services: [any Service], timeout: Duration = .seconds(60), stopping: Bool = false
    ) async -> ServiceGroup.Outcome {
        let group = ServiceGroup(services: services, shutdownTimeout: timeout, signals: [])
        if stopping { group.stop() }
        return await group.run()
    }

    @Test func startsInOrderAndStopsInReverse() async {
        let outcome = await run([worker("a"), worker("b"), worker("c")], stopping: true)
        #expect(outcome.exitCode == 0)
        #expect(
            diary.entries == [
                "run a", "run b", "run c", "stop c", "end c", "stop b", "end b", "stop a", "end a",
            ])
    }

    @Test func aServiceThatEndsEarlyStopsTheOthersAndIsAnError() async {
        let outcome = await run([worker("a"), worker("b", .atOnce), worker("c")])
        #expect(outcome.exitCode == 1)
        #expect(outcome.failures.map(\.service) == ["b"])
        #expect(outcome.failures.first?.error is ServiceGroup.EndedEarly)
        guard case .serviceEnded("b") = outcome.cause else {
            Issue.record("\(outcome.cause)")
            return
        }
        #expect(diary.entries.suffix(4) == ["stop c", "end c", "stop a", "end a"])
    }

    @Test func anErrorOfAServiceIsReported() async {
        let outcome = await run([worker("a", .fails), worker("b")])
        #expect(outcome.exitCode == 1)
        #expect(outcome.failures.map(\.service) == ["a"])
        #expect(outcome.failures.first?.error is Boom)
        #expect(diary.entries.contains("end b"))
    }

    @Test func anErrorWhileStoppingIsNotForgotten() async {
        let outcome = await run([worker("a"), worker("b", .failsWhenStopped)], stopping: true)
        #expect(outcome.exitCode == 1)
        #expect(outcome.failures.map(\.service) == ["b"])
        #expect(diary.entries.last == "end a")
    }

    @Test func pastTheDeadlineServicesAreAbandoned() async {
        let outcome = await run([worker("a"), worker("stuck", .never)], timeout: .milliseconds(20), stopping: true)
        #expect(outcome.exitCode == 3)
        #expect(outcome.abandoned == ["a", "stuck"])
    }

    @Test func eventsTellTheStory() async {
        let (diary, events) = (diary, Diary())
        let group = ServiceGroup(
            services: [Worker(name: "a", diary: diary)], shutdownTimeout: .seconds(60), signals: []
        ) { event in
            switch event {
            case .started(let name): events.note("started \(name)")
            case .stopping: events.note("stopping")
            case .stopped(let name): events.note("stopped \(name)")
            default: events.note("\(event)")
            }
        }
        group.stop()
        _ = await group.run()
        #expect(events.entries == ["started a", "stopping", "stopped a"])
    }
}

/// Signals belong to the whole process, so each of these runs in a process of its own.
@Suite struct ServiceGroupSignalTests {
    private static func runUntilSignal(
        _ ending: Worker.Ending, timeout: Duration = .seconds(60),
        onEvent: @escaping @Sendable (ServiceGroup.Event) -> Void
    ) async -> Never {
        let service = Worker(name: "a", ending: ending, diary: Diary())
        let outcome = await ServiceGroup(services: [service], shutdownTimeout: timeout, report: onEvent).run()
        exit(outcome.exitCode)
    }

    @Test(arguments: [SIGTERM, SIGINT]) func aSignalStopsInOrder(_ number: Int32) async {
        await #expect(processExitsWith: .success) { [number] in
            await Self.runUntilSignal(.whenStopped) { event in
                if case .started = event { kill(getpid(), number) }
            }
        }
    }

    @Test func aSecondSignalAborts() async {
        await #expect(processExitsWith: .exitCode(128 + SIGINT)) {
            await Self.runUntilSignal(.never) { event in
                switch event {
                case .started: kill(getpid(), SIGTERM)
                case .stopping: kill(getpid(), SIGINT)
                default: break
                }
            }
        }
    }

    @Test func theDeadlineHolds() async {
        await #expect(processExitsWith: .exitCode(3)) {
            await Self.runUntilSignal(.never, timeout: .milliseconds(20)) { event in
                if case .started = event { kill(getpid(), SIGTERM) }
            }
        }
    }

    @Test func theDeadlineHoldsWhenTheTasksAreStuck() async {
        await #expect(processExitsWith: .exitCode(3)) {
            await Self.runUntilSignal(.whenStopped, timeout: .milliseconds(20)) { event in
                guard case .stopping = event else {
                    kill(getpid(), SIGTERM)
                    return
                }
                // The group's own task never comes back; only a thread can end the process now.
                while true { pause() }
            }
        }
    }

    @Test func aBrokenPipeDoesNotKill() async {
        await #expect(processExitsWith: .success) {
            let service = Worker(name: "a", diary: Diary())
            let group = ServiceGroup(services: [service], shutdownTimeout: .seconds(60)) { event in
                guard case .started = event else { return }
                kill(getpid(), SIGPIPE)
                kill(getpid(), SIGTERM)
            }
            exit(await group.run().exitCode)
        }
    }

    @Test func signalsAreGivenBack() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let group = ServiceGroup(services: [], shutdownTimeout: .seconds(60))
            group.stop()
            _ = await group.run()
            // Not raise(): the runtime's own threads block signals.
            kill(getpid(), SIGTERM)
            while true { pause() }
        }
    }
}
