import Messaging
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(4))) struct ConsumerFaultTests {
    enum Fault: String, CaseIterable, Sendable { case pause, restart, kill }

    /// Nothing is lost and no request hangs, whatever happens to the server while messages flow.
    @Test(arguments: Fault.allCases)
    func readingGoesOnAcross(_ fault: Fault) async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            // What was on its way to the reader when the server went comes again after the ack wait.
            try await rig.makeConsumer(connection, ackWait: .seconds(2))
            let publisher = try rig.publisher(connection)
            let worker = Worker(rig.reader(try await rig.connect("worker"), batch: 100))
            try worker.start()
            for round in 0..<6 {
                try await rig.fill(publisher, first: round * 1000, count: 500)
                try await blocking {
                    switch fault {
                    case .pause:
                        rig.server.pause()
                        pauseThread(milliseconds: round.isMultiple(of: 2) ? 80 : 900)
                        rig.server.resume()
                    case .restart:
                        rig.server.stop()
                        try rig.server.start()
                    case .kill:
                        rig.server.kill()
                        try rig.server.start()
                    }
                }
                try await rig.fill(publisher, first: round * 1000 + 500, count: 500)
            }
            try await expectSoon(.seconds(30)) { worker.counts.count == 6000 }
            #expect(worker.error == nil)
            await worker.end()
            let isDone = try await waitUntil {
                let info = try rig.admin(connection).consumerInfo(stream: Rig.stream, consumer: Rig.consumer)
                return info?.pending == 0
            }
            #expect(isDone)
            await publisher.close()
        }
    }

    @Test func anIdleReaderNoticesALongFreezeAndReadsOn() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("publish")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection, ackWait: .seconds(2))
            let publisher = try rig.publisher(connection)
            let worker = Worker(rig.reader(try await rig.connect("worker")))
            try worker.start()
            try await rig.fill(publisher, count: 10)
            try await expectSoon { worker.counts.count == 10 }
            rig.server.pause()
            let isNoticed = try await waitUntil {
                rig.log.text.contains("fell silent") || rig.log.text.contains("lost the connection")
            }
            rig.server.resume()
            #expect(isNoticed)
            try await rig.fill(publisher, first: 10, count: 10)
            try await expectSoon { worker.counts.count == 20 }
            #expect(worker.error == nil)
            await worker.end()
            await publisher.close()
        }
    }

    @Test func aDeletedConsumerIsNoticed() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("admin")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 5)
            let worker = Worker(rig.reader(try await rig.connect("worker")))
            try worker.start()
            try await expectSoon { worker.counts.count == 5 }
            try await blocking { try NATSStreams.deleteConsumer(Rig.consumer, of: Rig.stream, over: connection) }
            try await expectSoon { worker.error != nil }
            #expect(worker.error == .consumerMissing(stream: Rig.stream, consumer: Rig.consumer))
            await worker.end()
            // A new consumer and a new reader begin from the start.
            try await rig.makeConsumer(connection)
            let next = Worker(rig.reader(try await rig.connect("next")))
            try next.start()
            try await expectSoon { next.counts.count == 5 }
            await next.end()
            await publisher.close()
        }
    }

    @Test func aConsumerThatNeverExistedIsNoticed() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("admin")
            let missing = MessagingError.consumerMissing(stream: Rig.stream, consumer: Rig.consumer)
            try await blocking {
                #expect(throws: missing) { try rig.reader(connection).next(max: 1, waitUpTo: .seconds(5)) }
            }
            try await rig.makeStream(connection)
            try await blocking {
                #expect(throws: missing) { try rig.reader(connection).next(max: 1, waitUpTo: .seconds(5)) }
            }
        }
    }

    @Test func aStreamMadeAnewIsNoticedAndOldAcksStayAway() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("consume")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 5)
            let reader = rig.reader(connection)
            let held = try await blocking { () throws -> [IncomingMessage] in
                var held: [IncomingMessage] = []
                while held.count < 5 { held += try reader.next(max: 5, waitUpTo: .seconds(5)) }
                return held
            }
            let created = reader.streamCreated
            try await blocking {
                rig.server.kill()
                try rig.server.deleteJetStreamDirectory()
                try rig.server.start()
            }
            #expect(await connection.waitUntilConnected(within: .seconds(10)))
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            try await rig.fill(publisher, first: 100, count: 5)
            try await blocking {
                // Before and after the reader has noticed: no ack may reach the new stream.
                #expect(held.prefix(2).allSatisfy { !$0.ack() })
                #expect(!reader.ackAll(Array(held.prefix(2)), within: .seconds(2)))
                #expect(throws: MessagingError.streamRecreated(stream: Rig.stream)) {
                    for _ in 0..<10 { _ = try reader.next(max: 5, waitUpTo: .seconds(1)) }
                }
                #expect(held.allSatisfy { !$0.ack() })
                #expect(!reader.ackAll(held, within: .milliseconds(100)))
                reader.close()
                let next = rig.reader(connection)
                var numbers: [Int] = []
                for _ in 0..<10 where numbers.count < 5 {
                    numbers += try next.next(max: 5, waitUpTo: .seconds(5)).map(number)
                }
                #expect(numbers.sorted() == Array(100..<105))
                #expect(next.streamCreated != created)
                next.close()
            }
            await publisher.close()
        }
    }

    @Test func aConsumerMadeAnewBySomebodyElseIsReadFromItsStart() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("consume")
            try await rig.makeStream(connection)
            try await rig.makeConsumer(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 3)
            let worker = Worker(rig.reader(connection))
            try worker.start()
            // An ack that came only after the deletion would count for the new consumer: it is of the same stream.
            try await expectSoon {
                let info = try rig.admin(connection).consumerInfo(stream: Rig.stream, consumer: Rig.consumer)
                return info?.ackFloorSequence == 3
            }
            try await blocking {
                // One after the other without a pause, so that a look cannot fall in between.
                // What the new consumer delivers to a request of before comes again after this wait of five seconds.
                let config =
                    "{\"durable_name\":\"\(Rig.consumer)\",\"ack_policy\":\"explicit\",\"deliver_policy\":\"all\","
                    + "\"ack_wait\":5000000000}"
                let body = "{\"stream_name\":\"\(Rig.stream)\",\"config\":\(config)}"
                try connection.publish([], to: "$JS.API.CONSUMER.DELETE.\(Rig.stream).\(Rig.consumer)")
                try connection.publish(
                    Array(body.utf8), to: "$JS.API.CONSUMER.DURABLE.CREATE.\(Rig.stream).\(Rig.consumer)")
            }
            try await expectSoon { worker.error != nil || worker.counts.filter { $0.value > 1 }.count == 3 }
            // A look may still have fallen in between; then the reader must have said so.
            let missing = MessagingError.consumerMissing(stream: Rig.stream, consumer: Rig.consumer)
            #expect(worker.error == nil || worker.error == missing)
            await worker.end()
            await publisher.close()
        }
    }
}
