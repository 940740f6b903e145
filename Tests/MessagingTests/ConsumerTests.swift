import Messaging
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct ConsumerTests {
    @Test func messagesComeInOrderWithTheirData() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("consume")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 1200)
            await publisher.close()
            try await blocking {
                let reader = rig.reader(connection)
                var seen: [Int] = []
                while seen.count < 1200 {
                    let messages = try reader.next(max: 300, waitUpTo: .seconds(5))
                    guard let first = messages.first else { break }
                    #expect(messages.count <= 300)
                    #expect(first.subject == "wallet.events.\(number(first) % 8)")
                    #expect(first.streamSequence == UInt64(number(first) + 1))
                    #expect(first.deliveryCount == 1 && first.storedAtMicroseconds > 1_500_000_000_000_000)
                    #expect(first.withPayload { Array($0) } == first.payload && first.payloadLength == 100)
                    seen += messages.map(number)
                    #expect(reader.ackAll(messages, within: .seconds(5)))
                }
                #expect(seen == Array(0..<1200))
                #expect(try reader.next(max: 10, waitUpTo: .milliseconds(50)).isEmpty)
                let info = try rig.admin(connection).consumerInfo(stream: Rig.stream, consumer: Rig.consumer)
                #expect(info?.ackPending == 0 && info?.pending == 0 && info?.ackFloorSequence == 1200)
                #expect(info?.deliveredSequence == 1200)
                reader.close()
            }
        }
    }

    @Test func nakTermAndProgressDoWhatTheySay() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("consume")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection, ackWait: .seconds(1))
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 4)
            await publisher.close()
            try await blocking {
                let reader = rig.reader(connection)
                var first: [Int: IncomingMessage] = [:]
                let deadline = ContinuousClock.now + .seconds(10)
                while first.count < 4, ContinuousClock.now < deadline {
                    for message in try reader.next(max: 4, waitUpTo: .seconds(1)) { first[number(message)] = message }
                }
                #expect(first[0]?.ack() == true)
                #expect(first[1]?.nak(delay: .milliseconds(50)) == true)
                #expect(first[2]?.term() == true)
                var again: [Int] = []
                // Number 3 is kept alive for longer than its ack wait, so it must not come again meanwhile.
                let until = ContinuousClock.now + .milliseconds(2500)
                while ContinuousClock.now < until {
                    first[3]?.inProgress()
                    for message in try reader.next(max: 4, waitUpTo: .milliseconds(200)) {
                        #expect(message.deliveryCount == 2)
                        again.append(number(message))
                        message.ack()
                    }
                }
                #expect(again == [1])
                let last = try reader.next(max: 4, waitUpTo: .seconds(5))
                #expect(last.map(number) == [3])
                #expect(reader.ackAll(last, within: .seconds(5)))
                reader.close()
            }
        }
    }

    @Test func sizesBoundWhatIsTaken() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("consume")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 60, size: 10_000)
            try await rig.fill(publisher, first: 60, count: 1, size: 300_000)
            try await rig.fill(publisher, first: 61, count: 5)
            await publisher.close()
            try await blocking {
                // A request takes five messages; the big one fits only after the reader has widened its requests.
                let reader = rig.reader(connection, maxBytes: 55_000)
                var seen: [Int] = []
                let deadline = ContinuousClock.now + .seconds(20)
                while seen.count < 66, ContinuousClock.now < deadline {
                    let messages = try reader.next(max: 500, maxBytes: 25_000, waitUpTo: .seconds(1))
                    #expect(messages.count <= 6)
                    seen += messages.map(number)
                    reader.ackAll(messages, within: .seconds(5))
                }
                #expect(seen == Array(0..<66))
                reader.close()
            }
        }
    }

    @Test func interruptEndsAWait() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("consume")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let reader = rig.reader(connection)
            async let messages = blocking { try reader.next(max: 1, waitUpTo: .seconds(100)) }
            reader.interrupt()
            #expect(try await messages.isEmpty)
            reader.close()
        }
    }

    @Test func severalWorkersShareOneDurable() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection, ackWait: .seconds(3))
            let publisher = try rig.publisher(connection)
            var workers: [Worker] = []
            for index in 0..<4 {
                let worker = Worker(rig.reader(try await rig.connect("worker-\(index)"), batch: 50))
                try worker.start()
                workers.append(worker)
            }
            try await rig.fill(publisher, count: 6000)
            let all = workers
            let isComplete = try await waitUntil { Set(all.flatMap { $0.counts.keys }).count == 6000 }
            #expect(isComplete)
            #expect(all.filter { !$0.counts.isEmpty }.count > 1, "they did not share")
            #expect(all.allSatisfy { $0.error == nil })
            for worker in all { await worker.end() }
            let info = try await blocking {
                try rig.admin(connection).consumerInfo(stream: Rig.stream, consumer: Rig.consumer)
            }
            #expect(info?.pending == 0)
            await publisher.close()
        }
    }
}
