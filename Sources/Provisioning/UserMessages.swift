import Messaging
import Observability

/// Works on messages with user events and answers each: acknowledged, given back, or put aside.
struct UserMessages: Sendable {
    let configuration: ProvisionerConfiguration
    let users: UserProvisioning
    let letters: ProvisioningLetters
    let logger: Logger
    let metrics: ProvisionerMetrics
    private let refusals = RefusalCounts()

    /// One event of one message.
    private struct Unit: Sendable {
        let message: Int
        let index: Int
        let element: UserEventReading.Element
    }

    /// What has been found out about a message.
    private struct Finding {
        var dead: [DeadUserEvent] = []
        /// Why it has to come again.
        var again: String?
    }

    /// Works on messages and answers them. Returns whether any of them went through.
    func take(_ messages: [IncomingMessage]) async -> Bool {
        var units: [Unit] = []
        for (number, message) in messages.enumerated() {
            for (index, element) in UserEventReading.elements(of: message.payload).enumerated() {
                units.append(Unit(message: number, index: index, element: element))
            }
        }
        var findings = messages.map { _ in Finding() }
        for (unit, outcome) in await outcomes(of: units) {
            note(outcome, of: unit, in: messages[unit.message], &findings[unit.message])
        }
        var wentThrough = false
        for (message, finding) in zip(messages, findings) {
            if await answer(message, finding) { wentThrough = true }
        }
        return wentThrough
    }

    /// Has the users provisioned, a bounded number at once.
    private func outcomes(of units: [Unit]) async -> [(Unit, UserProvisioning.Outcome)] {
        await withTaskGroup(of: (Int, UserProvisioning.Outcome).self) { group in
            var outcomes: [(Unit, UserProvisioning.Outcome)] = []
            outcomes.reserveCapacity(units.count)
            var running = 0
            for (number, unit) in units.enumerated() {
                if running == max(1, configuration.concurrency), let (done, outcome) = await group.next() {
                    outcomes.append((units[done], outcome))
                    running -= 1
                }
                group.addTask { (number, await self.outcome(of: unit.element)) }
                running += 1
            }
            for await (done, outcome) in group { outcomes.append((units[done], outcome)) }
            return outcomes
        }
    }

    private func outcome(of element: UserEventReading.Element) async -> UserProvisioning.Outcome {
        switch element.user {
        case .success(let user): await users.provision(user)
        case .failure(let flaw): UserProvisioning.Outcome(failure: .impossible(flaw.description))
        }
    }

    private func note(
        _ outcome: UserProvisioning.Outcome, of unit: Unit, in message: IncomingMessage, _ finding: inout Finding
    ) {
        func bury(_ reason: String) {
            finding.dead.append(DeadUserEvent(index: unit.index, reason: reason, payload: unit.element.payload))
        }
        metrics.wallets.increment(by: outcome.opened)
        switch outcome.failure {
        case nil where outcome.opened == 0: metrics.repeats.increment()
        case nil: break
        case .unavailable(let reason): finding.again = reason
        case .impossible(let reason): bury(reason)
        case .failed(let reason):
            let count = refusals.add(message.identity, index: unit.index)
            if count >= configuration.refusalsMax {
                bury("refused \(count) times: \(reason)")
            } else {
                finding.again = reason
            }
        }
    }

    /// Answers a message; returns whether it is finished.
    private func answer(_ message: IncomingMessage, _ finding: Finding) async -> Bool {
        var again = finding.again
        if !finding.dead.isEmpty {
            do {
                let added = try await letters.bury(finding.dead, of: message)
                metrics.deadLetters.increment(by: added)
            } catch {
                again = "its dead letters cannot be kept: \(error)"
            }
        }
        let sequence = LogValue.int(Int(clamping: message.streamSequence))
        if let again {
            let delay = configuration.delay(afterDeliveries: message.deliveryCount)
            message.nak(delay: delay)
            metrics.retries.increment()
            logger.warning(
                "a message with user events has to come again",
                [
                    "sequence": sequence, "deliveries": .int(Int(clamping: message.deliveryCount)),
                    "delay_ms": .milliseconds(delay), "reason": .string(again),
                ])
            return false
        }
        for dead in finding.dead {
            logger.error(
                "a user event was put aside",
                ["sequence": sequence, "index": .int(dead.index), "reason": .string(dead.reason)])
        }
        refusals.forget(message.identity)
        // Unanswered messages only come again.
        if finding.dead.isEmpty { message.ack() } else { message.term() }
        return true
    }
}

extension IncomingMessage {
    fileprivate var identity: RefusalCounts.Message {
        RefusalCounts.Message(sequence: streamSequence, storedAt: storedAtMicroseconds)
    }
}
