import Runtime
import Testing

@Suite struct PauseTests {
    @Test func aPauseEndsByItself() async {
        let signal = StopSignal()
        let began = ContinuousClock.now
        await signal.pause(for: .milliseconds(20))
        #expect(ContinuousClock.now - began >= .milliseconds(20))
        await signal.pause(for: .zero)
        await signal.pause(for: .seconds(-1))
        #expect(!signal.isStopped)
    }

    @Test(.timeLimit(.minutes(1))) func theSignalEndsPauses() async {
        let signal = StopSignal()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { await signal.pause(for: .seconds(3600)) } }
            signal.stop()
            await group.waitForAll()
        }
        await signal.pause(for: .seconds(3600))
    }

    @Test(.timeLimit(.minutes(1))) func cancellationEndsAPause() async {
        let signal = StopSignal()
        let task = Task { await signal.pause(for: .seconds(3600)) }
        task.cancel()
        await task.value
        #expect(!signal.isStopped)
    }
}
