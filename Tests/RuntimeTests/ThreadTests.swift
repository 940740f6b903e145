import Foundation
import Glibc
import Runtime
import Synchronization
import Testing

@Suite struct StopSignalTests {
    @Test func wakesThreadsTasksAndActions() async throws {
        let signal = StopSignal()
        let actions = Mutex(0)
        signal.onStop { actions.withLock { $0 += 1 } }
        let thread = try OwnedThread(name: "waiter") { signal.wait(for: .seconds(60)) }
        async let first: Void = signal.wait()
        async let second: Void = signal.wait()
        #expect(!signal.isStopped)
        signal.stop()
        signal.stop()
        _ = await (first, second)
        await thread.waitUntilEnded()
        signal.onStop { actions.withLock { $0 += 1 } }
        #expect(actions.withLock { $0 } == 2)
        #expect(signal.isStopped)
    }

    @Test func waitingEndsWithTheTime() async throws {
        let stopped = try await runOnOwnThread("waiter") { StopSignal().wait(for: .milliseconds(1)) }
        #expect(!stopped)
    }

    @Test func cancellingEndsTheWait() async {
        let signal = StopSignal()
        let task = Task { await signal.wait() }
        task.cancel()
        await task.value
        #expect(!signal.isStopped)
    }
}

@Suite struct OwnedThreadTests {
    @Test func hasItsNameAndCanBeJoined() async throws {
        let seen = Mutex("")
        let thread = try OwnedThread(name: "lane-1-of-a-long-name") {
            let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            seen.withLock { $0 = name ?? "" }
        }
        thread.join()
        thread.join()
        #expect(thread.hasEnded)
        #expect(seen.withLock { $0 } == "lane-1-of-a-lon\n")
    }

    @Test func handsOnValuesAndErrors() async throws {
        struct Boom: Error {}
        let value = try await runOnOwnThread("work") { 42 }
        #expect(value == 42)
        await #expect(throws: Boom.self) { try await runOnOwnThread("work") { throw Boom() } }
    }

    @Test func manyMayJoin() async throws {
        let signal = StopSignal()
        let thread = try OwnedThread(name: "joined") { signal.wait(for: .seconds(60)) }
        let joiners = try (0..<4).map { _ in try OwnedThread(name: "joiner") { thread.join() } }
        signal.stop()
        for joiner in joiners { joiner.join() }
        #expect(thread.hasEnded)
    }
}

@Suite struct BoundedQueueTests {
    @Test func keepsOrderAndBound() {
        let queue = BoundedQueue<Int>(capacity: 3)
        #expect((0..<5).map { queue.tryPush($0) } == [true, true, true, false, false])
        #expect(queue.count == 3)
        #expect(queue.takeAll(max: 2, waitUpTo: .zero) == [0, 1])
        #expect(queue.tryPush(7))
        #expect(queue.takeAll(max: 9, waitUpTo: .zero) == [2, 7])
        #expect(queue.takeAll(max: 9, waitUpTo: .milliseconds(1)) == [])
        #expect(!queue.isFinished)
    }

    @Test func whatDoesNotFitIntoABatchStays() {
        let queue = BoundedQueue<Int>(capacity: 9)
        #expect(queue.tryPush(contentsOf: [2, 3, 1, 8, 1]))
        #expect(queue.takeAll(max: 5, waitUpTo: .zero, size: { $0 }) == [2, 3])
        #expect(queue.takeAll(max: 5, waitUpTo: .zero, size: { $0 }) == [1])
        #expect(queue.takeAll(max: 5, waitUpTo: .zero, size: { $0 }) == [8])
        #expect(queue.count == 1)
    }

    @Test func theOldestCanBeTakenOut() {
        let queue = BoundedQueue<Int>(capacity: 9)
        #expect(queue.takeFirst { _ in true } == [])
        #expect(queue.tryPush(contentsOf: [1, 2, 5, 1]))
        #expect(queue.takeAll(max: 1, waitUpTo: .zero) == [1])
        #expect(queue.takeFirst { $0 < 5 } == [2])
        #expect(queue.takeFirst { $0 < 5 } == [])
        #expect(queue.tryPush(6))
        #expect(queue.takeFirst { _ in true } == [5, 1, 6])
        #expect(queue.count == 0)
    }

    @Test func closingRefusesButKeepsWhatIsInside() {
        let queue = BoundedQueue<Int>(capacity: 3)
        #expect(queue.tryPush(1))
        queue.close()
        #expect(!queue.tryPush(2))
        #expect(!queue.isFinished)
        #expect(queue.takeAll(max: 9, waitUpTo: nil) == [1])
        #expect(queue.isFinished)
        #expect(queue.takeAll(max: 9, waitUpTo: nil) == [])
    }

    @Test func closingWakesTheTaker() async throws {
        let queue = BoundedQueue<Int>(capacity: 3)
        async let taken = runOnOwnThread("taker") { queue.takeAll(max: 9, waitUpTo: nil) }
        queue.close()
        #expect(try await taken == [])
    }

    @Test func lingeringWaitsForEnough() async throws {
        let queue = BoundedQueue<Int>(capacity: 8)
        #expect(queue.tryPush(0))
        async let taken = runOnOwnThread("taker") {
            queue.takeAll(max: 8, waitUpTo: nil, linger: .seconds(60), enough: 3)
        }
        #expect(queue.tryPush(1))
        #expect(queue.tryPush(2))
        #expect(try await taken == [0, 1, 2])
        #expect(queue.tryPush(3))
        #expect(queue.takeAll(max: 8, waitUpTo: nil, linger: .milliseconds(1), enough: 3) == [3])
    }

    @Test func nothingIsLostOrDoubledBetweenThreads() async throws {
        let (queue, producers, each) = (BoundedQueue<Int>(capacity: 64), 4, 5000)
        let threads = try (0..<producers).map { producer in
            try OwnedThread(name: "producer") {
                for number in 0..<each {
                    while !queue.tryPush(producer * each + number) { sched_yield() }
                }
            }
        }
        let taken = try await runOnOwnThread("taker") {
            var taken: [Int] = []
            while taken.count < producers * each {
                let batch = queue.takeAll(max: 17, waitUpTo: .seconds(60))
                if batch.isEmpty { break }
                taken += batch
            }
            return taken
        }
        for thread in threads { thread.join() }
        #expect(taken.sorted() == Array(0..<producers * each))
        for producer in 0..<producers {
            let own = taken.filter { $0 / each == producer }
            #expect(own == own.sorted())
        }
    }
}
