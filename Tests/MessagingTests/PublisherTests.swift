import Messaging
import Synchronization
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct PublisherTests {
    @Test func acksTellSequencesAndDuplicates() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            let publisher = try rig.publisher(connection)
            let messages = (0..<100).map { rig.message($0) }
            let first = await publisher.publish(messages, within: .seconds(5))
            #expect(first == (1...100).map { .stored(sequence: $0, duplicate: false) })
            let again = await publisher.publish(messages, within: .seconds(5))
            #expect(again == (1...100).map { .stored(sequence: $0, duplicate: true) })
            #expect(await publisher.publish([], within: .seconds(1)).isEmpty)
            let info = try await blocking { try rig.admin(connection).streamInfo(Rig.stream) }
            #expect(info?.messages == 100 && info?.lastSequence == 100 && info?.firstSequence == 1)
            await publisher.close()
            let closed = await publisher.publish([rig.message(1)], within: .seconds(1))
            #expect(closed.first?.rejection == .closed)
        }
    }

    @Test func manyBatchesAtOnceGetTheirOwnResults() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            let publisher = try rig.publisher(connection)
            let sequences = try await withThrowingTaskGroup(of: [UInt64].self) { group in
                for task in 0..<20 {
                    group.addTask {
                        let messages = (0..<50).map { rig.message(task * 50 + $0) }
                        return await publisher.publish(messages, within: .seconds(10)).compactMap {
                            if case .stored(let sequence, false) = $0 { sequence } else { nil }
                        }
                    }
                }
                var all: [UInt64] = []
                for try await part in group {
                    #expect(part == part.sorted())
                    all += part
                }
                return all
            }
            #expect(sequences.sorted() == Array(1...1000))
            await publisher.close()
        }
    }

    @Test func refusalsAreToldApart() async throws {
        var options = NATSServer.Options()
        options.maxPayload = 4096
        try await Rig.run(options) { rig in
            let connection = try await rig.connect("publish")
            let publisher = try rig.publisher(connection, inFlight: 10)
            let nobody = await publisher.publish([rig.message(1)], within: .seconds(5))
            #expect(nobody == [.rejected(.noResponders)])
            try await rig.makeStream(connection)
            let mixed = await publisher.publish([rig.message(1), rig.message(2, size: 5000)], within: .seconds(5))
            #expect(mixed == [.stored(sequence: 1, duplicate: false), .rejected(.tooLarge)])
            let many = await publisher.publish((0..<11).map { rig.message($0) }, within: .seconds(5))
            #expect(many.allSatisfy { $0.rejection == .publisherFull })
            let wrong = try BatchPublisher(
                connection: connection, expectedStream: "OTHER", logger: rig.logger, metrics: rig.metrics)
            let results = await wrong.publish([rig.message(3)], within: .seconds(5))
            #expect(results.first?.rejection?.code == JetStreamCode.wrongStream)
            await wrong.close()
            try await blocking { rig.server.stop() }
            try await expectSoon { !connection.isConnected }
            let away = await publisher.publish([rig.message(4)], within: .seconds(5))
            #expect(away == [.rejected(.notConnected)])
            await publisher.close()
        }
    }

    @Test func aFullStreamRefusesAndKeepsWhatItHas() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection, maxBytes: 100_000)
            let publisher = try rig.publisher(connection)
            var stored = 0
            var refusal: PublishRejection?
            for round in 0..<40 where refusal == nil {
                let messages = (0..<10).map { rig.message(round * 10 + $0, size: 1000) }
                let results = await publisher.publish(messages, within: .seconds(5))
                stored += results.filter(\.isStored).count
                refusal = results.compactMap(\.rejection).first
            }
            #expect(refusal?.code == 10077)
            #expect(refusal?.isStreamFull == true)
            let info = try await blocking { try rig.admin(connection).streamInfo(Rig.stream) }
            #expect(info?.messages == UInt64(stored) && info?.firstSequence == 1)
            await publisher.close()
        }
    }

    @Test func aFrozenServerMeansUnknownAfterTheDeadline() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 1)
            rig.server.pause()
            let results = await publisher.publish([rig.message(1), rig.message(2)], within: .milliseconds(200))
            #expect(results.allSatisfy { $0.isUnknown })
            rig.server.resume()
            try await rig.fill(publisher, first: 1, count: 20)
            let info = try await blocking { try rig.admin(connection).streamInfo(Rig.stream) }
            #expect(info?.messages == 21)
            await publisher.close()
        }
    }

    /// The heart of the matter: whatever is told `stored` is there, and re-sending the rest stores each once.
    @Test func resultsAreHonestWhenTheServerIsKilled() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let publisher = try rig.publisher(connection)
            let isDone = Flag()
            let killer = Task {
                for _ in 0..<4 {
                    try await blocking {
                        pauseThread(milliseconds: 250)
                        rig.server.kill()
                        try rig.server.start()
                    }
                }
                isDone.raise()
            }
            var next = 0
            var sequences: [UInt64: Int] = [:]
            var resent = 0
            while !isDone.isRaised || next < 2000 {
                var open = Array(next..<next + 50)
                next += 50
                while !open.isEmpty {
                    let results = await publisher.publish(open.map { rig.message($0) }, within: .seconds(2))
                    for (number, result) in zip(open, results) {
                        guard case .stored(let sequence, _) = result else { continue }
                        #expect(sequences.updateValue(number, forKey: sequence) == nil, "sequence \(sequence) twice")
                        open.removeAll { $0 == number }
                    }
                    resent += open.count
                    if !open.isEmpty { try await blocking { pauseThread(milliseconds: 10) } }
                }
            }
            try await killer.value
            #expect(resent > 0, "the kills hit nothing")
            #expect(sequences.count == next)
            let worker = Worker(rig.reader(try await rig.connect("check")))
            try worker.start()
            let total = next
            try await expectSoon { worker.counts.count == total }
            #expect(worker.counts.values.allSatisfy { $0 == 1 })
            let info = try await blocking { try rig.admin(connection).streamInfo(Rig.stream) }
            #expect(info?.messages == UInt64(next))
            await worker.end()
            await publisher.close()
        }
    }

    @Test func syncingEachMessageIsAccepted() async throws {
        var options = NATSServer.Options()
        options.syncAlways = true
        try await Rig.run(options) { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 200)
            await publisher.close()
        }
    }
}

/// A flag between tasks.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}
