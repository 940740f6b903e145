import Events
import JSON
import Ledger
import TestSupport
import Testing

/// Events out and in again.
@Suite struct EventsTests {
    private static func message(_ events: [WalletEvent]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginArray()
        for event in events { writer.event(event) }
        writer.endArray()
        return writer.bytes
    }

    @Test func randomEventsComeBackAsTheyWere() {
        var random = TestRandom()
        for _ in 0..<300 {
            let events = (0..<random.below(5)).map { _ in RandomEvent.make(using: &random) }
            let elements = EventReading.elements(of: Self.message(events))
            #expect(elements == events.map(EventReading.Element.event))
        }
    }

    @Test func unknownMembersAreTolerated() throws {
        var random = TestRandom()
        for _ in 0..<100 {
            let event = RandomEvent.make(using: &random)
            let value = try JSONValue(parsing: Self.message([event]))
            let changed = Self.withExtras(value, using: &random)
            #expect(EventReading.elements(of: changed.compactBytes) == [.event(event)])
        }
    }

    /// The same document with members that nobody knows, everywhere but in the client's own metadata, and all members
    /// in another order.
    private static func withExtras(_ value: JSONValue, using random: inout TestRandom) -> JSONValue {
        switch value {
        case .array(let elements):
            return .array(elements.map { withExtras($0, using: &random) })
        case .object(let members):
            var changed = members.map { member in
                let isClients = member.name == "metadata"
                return JSONValue.Member(
                    member.name, isClients ? member.value : withExtras(member.value, using: &random))
            }
            changed.append(.init("unheard_of", .array([.object([.init("id", .null)]), .number("1.5")])))
            return .object(changed.shuffled(using: &random))
        default:
            return value
        }
    }

    @Test func flawedElementsAreIsolated() throws {
        var random = TestRandom()
        let event = RandomEvent.make(using: &random)
        let good = String(decoding: Self.message([event]).dropFirst().dropLast(), as: UTF8.self)
        let scale = event.wallet.asset.scale
        let most = Money.text(Money.largest, scale: scale)
        let overdrawn = good.replacing(
            #""balance":"\#(Money.text(event.wallet.balance, scale: scale))""#, with: #""balance":"-\#(most)""#
        ).replacing(
            #""pending_credit":"\#(Money.text(event.wallet.pendingCredit, scale: scale))""#,
            with: #""pending_credit":"\#(most)""#)
        let flawed: [(String, EventFlaw)] = [
            (overdrawn, .invalid(member: "data.wallet.pending_credit", value: most)),
            ("17", .malformed("")), (#""text""#, .malformed("")), ("{}", .missing("type")),
            (good.replacing(#""data":{"#, with: #""data":{}, "was":{"#), .missing("data.wallet")),
            (
                good.replacing(#""version":\#(event.wallet.version)"#, with: #""version":0"#),
                .invalid(member: "data.wallet.version", value: "0")
            ),
        ]
        let text = "[" + flawed.map { "\($0.0),\(good)" }.joined(separator: ",") + "]"
        let elements = EventReading.elements(of: Array(text.utf8))
        try #require(elements.count == flawed.count * 2)
        for (index, (source, expected)) in flawed.enumerated() {
            #expect(elements[index * 2 + 1] == .event(event))
            guard case .flawed(let flaw, let payload) = elements[index * 2] else {
                Issue.record("\(source) was taken for an event")
                continue
            }
            #expect(payload == Array(source.utf8))
            if case .malformed = expected {
                guard case .malformed = flaw else {
                    Issue.record("\(source): \(flaw)")
                    continue
                }
            } else {
                #expect(flaw == expected)
            }
        }
    }

    /// Newer programs may send what this one does not know.
    @Test func anUnknownTypeIsSkipped() {
        var random = TestRandom()
        let event = RandomEvent.make(using: &random)
        let good = String(decoding: Self.message([event]).dropFirst().dropLast(), as: UTF8.self)
        let type = "\"type\":\"\(event.type.rawValue)\""
        let unknown = good.replacing(type, with: #""type":"wallet.exploded.v1""#)
        let elements = EventReading.elements(of: Array("[\(good),\(unknown),\(good)]".utf8))
        #expect(elements == [.event(event), .skipped(type: "wallet.exploded.v1"), .event(event)])
    }

    @Test func balanceChangesAreTold() throws {
        var random = TestRandom()
        var (changes, total) = (0, 0)
        for _ in 0..<200 {
            var collector = EventMessages(partitions: 3, eventsPerMessage: 500, tellsBalances: true)
            let event = RandomEvent.make(using: &random)
            collector.append(event)
            let count = collector.eventCount
            let message = try #require(try EventMessages.messages(in: collector.takeFramed()).first)
            let elements = EventReading.elements(of: message.payload)
            #expect(elements.count == count && message.eventCount == count && elements.first == .event(event))
            if count == 2 { #expect(elements.last == .skipped(type: "wallet.balance_changed.v1")) }
            let settles = event.transfer?.status == .completed || event.type == .walletCreated
            #expect(count <= (settles ? 2 : 1))
            changes += count - 1
            total += 1
        }
        #expect(changes > 0 && changes < total)
    }

    @Test func whatIsNoArrayIsOneFlawedElement() {
        for text in ["", "{}", "[", "[1,", "nonsense", "[]]", "[{}] x"] {
            let elements = EventReading.elements(of: Array(text.utf8))
            #expect(elements.count == 1, "\(text)")
            guard case .flawed(.malformed, let payload) = elements.first else {
                Issue.record("\(text): \(elements)")
                continue
            }
            #expect(payload == Array(text.utf8))
        }
        #expect(EventReading.elements(of: Array("[]".utf8)).isEmpty)
    }

    @Test(arguments: [(1, 1), (1, 500), (8, 1), (8, 3), (8, 500), (65_535, 7)])
    func framingsOfAnySize(_ partitions: Int, _ eventsPerMessage: Int) throws {
        var random = TestRandom()
        for count in [0, 1, 2, 30, 300] {
            var collector = EventMessages(partitions: partitions, eventsPerMessage: eventsPerMessage)
            // Some wallets have several events, whose order counts.
            var events: [WalletEvent] = []
            for _ in 0..<count {
                events.append(RandomEvent.make(using: &random))
                guard random.below(2) == 0 else { continue }
                let earlier = events[random.below(events.count)]
                let origin = EventOrigin(correlationID: "\(events.count)", traceParent: "")
                events.append(
                    WalletEvent(
                        type: earlier.type, wallet: earlier.wallet, transfer: earlier.transfer,
                        related: earlier.related, origin: origin))
            }
            for event in events { collector.append(event) }
            #expect(collector.eventCount == events.count)
            let framed = collector.takeFramed()
            #expect(collector.eventCount == 0 && collector.takeFramed().isEmpty)
            let messages = try EventMessages.messages(in: framed)
            #expect(messages.reduce(0) { $0 + $1.eventCount } == events.count)
            var found: [WalletEvent] = []
            for message in messages {
                let elements = EventReading.elements(of: message.payload)
                #expect(elements.count == message.eventCount && message.eventCount <= eventsPerMessage)
                for case .event(let event) in elements {
                    #expect(event.wallet.id.placement % UInt64(partitions) == UInt64(message.partition))
                    found.append(event)
                }
            }
            #expect(found.count == events.count && Set(found) == Set(events))
            let byWallet = { (events: [WalletEvent]) in Dictionary(grouping: events, by: \.wallet.id) }
            #expect(byWallet(found) == byWallet(events))
        }
    }

    @Test func aCutFramingIsNoticed() throws {
        var random = TestRandom()
        var collector = EventMessages(partitions: 1, eventsPerMessage: 500)
        collector.append(RandomEvent.make(using: &random))
        let framed = collector.takeFramed()
        for length in 1..<framed.count {
            #expect(throws: EventMessages.FramingError.self) {
                _ = try EventMessages.messages(in: Array(framed.prefix(length)))
            }
        }
    }

    @Test func aLargeMessageIsClosedEarly() throws {
        var random = TestRandom()
        var collector = EventMessages(partitions: 1, eventsPerMessage: 500)
        let metadata = "{\"text\":\"" + String(repeating: "x", count: 60_000) + "\"}"
        for _ in 0..<40 { collector.append(RandomEvent.make(using: &random, metadata: metadata)) }
        let messages = try EventMessages.messages(in: collector.takeFramed())
        #expect(messages.count > 1)
        #expect(messages.allSatisfy { $0.payload.count < 1 << 20 })
    }
}

/// Events with everything that may be in one.
enum RandomEvent {
    static func make(using random: inout TestRandom, metadata: String? = nil) -> WalletEvent {
        let type = EventType.allCases[random.below(EventType.allCases.count)]
        let kind = kind(of: type)
        let scale = random.below(Asset.largestScale + 1)
        let asset = Asset(code: "A\(scale)", scale: scale) ?? Asset(code: "A", scale: 0).unsafelyUnwrapped
        let version = Int64(1 + random.below(1_000_000))
        let (balance, reserved) = (money(&random), abs(money(&random)))
        let wallet = Wallet(
            id: WalletID(uuid(&random)), ownerID: text(&random), asset: asset, balance: balance,
            pendingDebit: abs(money(&random)), pendingCredit: Money.sum(balance, -reserved) == nil ? 0 : reserved,
            overdraftLimit: abs(money(&random)), version: version,
            status: WalletStatus.allCases[random.below(3)], metadata: metadata ?? self.metadata(&random),
            createdAt: moment(&random), updatedAt: moment(&random))
        let origin = EventOrigin(correlationID: text(&random), traceParent: text(&random))
        return WalletEvent(
            type: type, wallet: wallet, transfer: transfer(kind, in: wallet, using: &random),
            related: type == .transferReversed ? transfer(.completed, in: wallet, using: &random) : nil,
            origin: origin)
    }

    private static func kind(of type: EventType) -> EntryKind {
        switch type {
        case .walletCreated: .opened
        case .walletFrozen, .walletUnfrozen, .walletClosed, .walletAmended: .amended
        case .transferPending: .pending
        case .transferExtended: .extended
        case .transferCompleted: .completed
        case .transferReversed: .posted
        case .transferFailed: .reverted
        case .transferExpired: .expired
        }
    }

    private static func transfer(
        _ kind: EntryKind, in wallet: Wallet, using random: inout TestRandom
    ) -> Transfer? {
        guard let standing = kind.transferStanding else { return nil }
        return Transfer(
            id: TransferID(uuid(&random)), walletID: wallet.id, direction: random.below(2) == 0 ? .debit : .credit,
            amount: max(1, abs(money(&random))), status: standing.status, reason: standing.reason,
            completedAmount: standing.status == .completed ? max(1, abs(money(&random))) : nil,
            referenceID: text(&random), description: text(&random), note: text(&random),
            counterparty: random.below(2) == 0 ? nil : WalletID(uuid(&random)),
            expiresAt: random.below(2) == 0 ? nil : moment(&random), metadata: metadata(&random),
            createdVersion: 1 + Int64(random.below(1000)), createdAt: moment(&random), version: wallet.version,
            resolvedAt: standing.status == .pending ? nil : moment(&random),
            purpose: TransferPurpose.allCases[random.below(3)],
            reverses: random.below(2) == 0 ? nil : TransferID(uuid(&random)),
            reversedAmount: random.below(2) == 0 ? 0 : abs(money(&random)), actor: text(&random))
    }

    private static func uuid(_ random: inout TestRandom) -> RawUUID {
        RawUUID(bits: UInt128(random.next()) << 64 | UInt128(random.next()))
    }

    private static func money(_ random: inout TestRandom) -> Int128 { random.nextInt128() % (Money.largest + 1) }

    private static func moment(_ random: inout TestRandom) -> Timestamp {
        Timestamp(microseconds: Int64(random.next() % 4_000_000_000_000_000))
    }

    private static func text(_ random: inout TestRandom) -> String? {
        let samples = [
            "", "order 17", "quoted \"text\" \\ / \u{1} \n\t", "żółć 🦊 e\u{301}", "\u{7f}\u{2028}", "{}[],:",
        ]
        let index = random.below(samples.count + 1)
        return index < samples.count ? samples[index] : nil
    }

    private static func metadata(_ random: inout TestRandom) -> String? {
        let samples = ["{}", #"{"a":[1,2.50,{"b":null}],"c":"\u0001"}"#, #"{"ż":"🦊"}"#]
        let index = random.below(samples.count + 1)
        return index < samples.count ? samples[index] : nil
    }
}
