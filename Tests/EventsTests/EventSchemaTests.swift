import Events
import Foundation
import JSON
import Ledger
import Testing

/// The events that the service sends are those of `specification/events`.
@Suite struct EventSchemaTests {
    private static let specification = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "specification")
    private static let folder = specification.appending(path: "events")

    private static func parsed(_ payload: [UInt8]) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(payload))
    }

    private static func payloads(of events: [WalletEvent], tellsBalances: Bool = false) throws -> [Any] {
        var messages = EventMessages(partitions: 3, eventsPerMessage: 4, tellsBalances: tellsBalances)
        for event in events { messages.append(event) }
        return try EventMessages.messages(in: messages.takeFramed()).map { try parsed($0.payload) }
    }

    /// One JSON object of an event that fits, to be spoilt.
    private static func event(of type: EventType) throws -> [String: Any] {
        let event = try #require(try EventStory.full().first { $0.type == type })
        let batch = try #require(try payloads(of: [event]).first as? [[String: Any]])
        return try #require(batch.first)
    }

    private static func flaws(_ batch: Any, isClosed: Bool = true) throws -> [String] {
        let schema = JSONSchema(folder: folder)
        var flaws = try schema.flaws(of: batch, by: "batch.json", isClosed: isClosed)
        // An alternative of a list is not read as closed: each event is checked for itself, too.
        for event in batch as? [[String: Any]] ?? [] {
            let isOfBalance = event["type"] as? String == "wallet.balance_changed.v1"
            flaws += try schema.flaws(
                of: event, by: isOfBalance ? "balance_changed.json" : "event.json", isClosed: isClosed)
        }
        return flaws
    }

    @Test func everyKindOfEventFits() throws {
        for events in [try EventStory.full(), try EventStory.bare()] {
            for payload in try Self.payloads(of: events, tellsBalances: true) {
                let flaws = try Self.flaws(payload)
                #expect(flaws.isEmpty, "\(flaws)")
            }
        }
        #expect(Set(try EventStory.full().map(\.type)) == Set(EventType.allCases))
    }

    /// The members of `wallet.balance_changed.v1`, all of which occur.
    @Test func balanceChangesFit() throws {
        var types: [String] = []
        var seen: Set<String> = []
        for payload in try Self.payloads(of: EventStory.full(), tellsBalances: true) {
            for event in try #require(payload as? [[String: Any]]) {
                let type = try #require(event["type"] as? String)
                types.append(type)
                guard type == "wallet.balance_changed.v1" else { continue }
                seen.formUnion((event["data"] as? [String: Any] ?? [:]).keys)
                var spoilt = event
                spoilt["id"] = "7:1:balance"
                #expect(try !Self.flaws([spoilt]).isEmpty)
            }
        }
        #expect(types.contains("wallet.balance_changed.v1"))
        let names = ["wallet_id", "owner_id", "asset", "scale", "amount", "balance", "available", "version"]
        #expect(seen == Set(names + ["transfer_id"]))
    }

    /// The stories are worth something only if they show every member that the schemas describe.
    @Test(arguments: ["wallet", "transfer"]) func everyMemberOccurs(part: String) throws {
        var seen: Set<String> = []
        for payload in try Self.payloads(of: EventStory.full()) {
            for event in try #require(payload as? [[String: Any]]) {
                let data = try #require(event["data"] as? [String: Any])
                seen.formUnion((data[part] as? [String: Any] ?? [:]).keys)
                if part == "transfer" { seen.formUnion((data["related"] as? [String: Any] ?? [:]).keys) }
            }
        }
        let text = try Data(contentsOf: Self.folder.appending(path: "\(part).json"))
        let schema = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
        let described = try #require(schema["properties"] as? [String: Any])
        #expect(seen == Set(described.keys))
    }

    @Test func noticesWhatDoesNotFit() throws {
        let created = try Self.event(of: .walletCreated)
        let completed = try Self.event(of: .transferCompleted)
        #expect(try Self.flaws([created, completed]).isEmpty)
        func spoilt(_ event: [String: Any], _ path: [String], _ value: Any?) throws -> [String] {
            try Self.flaws([Self.replacing(path, in: event, with: value)])
        }
        #expect(try !Self.flaws([Any]()).isEmpty)
        #expect(try !Self.flaws(created).isEmpty)
        #expect(try !spoilt(created, ["specversion"], "0.3").isEmpty)
        #expect(try !spoilt(created, ["id"], "7:1").isEmpty)
        #expect(try !spoilt(created, ["subject"], nil).isEmpty)
        #expect(try !spoilt(created, ["type"], "wallet.deleted.v1").isEmpty)
        #expect(try !spoilt(created, ["type"], EventType.transferPending.rawValue).isEmpty)
        #expect(try !spoilt(created, ["data", "wallet", "version"], 0).isEmpty)
        #expect(try !spoilt(created, ["data", "wallet", "version"], true).isEmpty)
        #expect(try !spoilt(created, ["data", "wallet", "version"], 1.5).isEmpty)
        #expect(try !spoilt(created, ["data", "wallet", "balance"], 10.5).isEmpty)
        #expect(try !spoilt(created, ["data", "wallet", "colour"], "blue").isEmpty)
        #expect(try !spoilt(created, ["data", "transfer"], [String: Any]()).isEmpty)
        #expect(try !spoilt(completed, ["data", "transfer"], nil).isEmpty)
        #expect(try !spoilt(completed, ["data", "transfer", "status"], "pending").isEmpty)
        #expect(try !spoilt(completed, ["data", "transfer", "amount"], "1e3").isEmpty)
        #expect(try !spoilt(completed, ["data", "transfer", "resolved_at"], nil).isEmpty)
    }

    /// Consumers must bear members that come later.
    @Test func anUnknownMemberFitsForConsumers() throws {
        let event = Self.replacing(
            ["data", "wallet", "colour"], in: try Self.event(of: .walletCreated), with: "blue")
        #expect(try Self.flaws([event], isClosed: false).isEmpty)
    }

    private static func replacing(_ path: [String], in object: [String: Any], with value: Any?) -> [String: Any] {
        guard let name = path.first else { return object }
        var object = object
        if path.count == 1 {
            object[name] = value
        } else {
            object[name] = replacing(
                Array(path.dropFirst()), in: object[name] as? [String: Any] ?? [:], with: value)
        }
        return object
    }

    /// The AsyncAPI document names the schemas' files by hand.
    @Test func theAsyncAPIDocumentRefersToFilesThatExist() throws {
        let file = Self.specification.appending(path: "asyncapi.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
        let references = text.matches(of: /\$ref: (\.\/\S+)/).map { String($0.1) }
        #expect(Set(references) == ["./events/batch.json", "./events/users.user.created.v1.json"])
        for reference in references {
            let path = Self.specification.appending(path: reference).path()
            #expect(FileManager.default.fileExists(atPath: path), "\(reference) is missing")
        }
    }
}

/// Events as the ledger makes them, from a wallet's opening to everything that can become of transfers.
enum EventStory {
    /// Every member that an event can have occurs.
    static func full() throws -> [WalletEvent] {
        let origin = EventOrigin(
            correlationID: "order \"7\"", traceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        var story = Story(origin: origin)
        try story.open(owner: "owner-é", balance: "100.00", metadata: #"{"a":{"b":[1,null]}}"#)
        for (number, direction) in [(1, Direction.debit), (2, .credit), (3, .credit), (4, .debit)] {
            try story.create(number, direction, "10.50", expiry: .at(Story.moment(1000)))
        }
        try story.resolve(.complete(Story.transfer(1), amount: nil))
        try story.resolve(.complete(Story.transfer(2), amount: try Story.amount("0.01")))
        try story.resolve(.revert(Story.transfer(3), note: "changed\nmy mind"))
        try story.create(5, .credit, "99999.99", settlesAtOnce: true)
        try story.create(6, .debit, "1", settlesAtOnce: true)
        try story.resolve(.extend(Story.transfer(4), expiry: .at(Story.moment(1500))))
        try story.resolve(
            .amend(Amendment(status: .frozen, metadata: nil, overdraftLimit: nil, note: "asked by the bank")))
        try story.resolve(.expire(Story.transfer(4)), at: Story.moment(1500))
        try story.amend(status: .active)
        try story.reverse(6, by: 7, "0.25")
        try story.amend(status: nil)
        try story.create(8, .credit, "111.24", settlesAtOnce: true)
        try story.amend(status: .closed)
        return story.events + [try story.withLimitAndCounterparty()]
    }

    /// No member occurs that may be left out.
    static func bare() throws -> [WalletEvent] {
        var story = Story(origin: .none, hasDetails: false)
        try story.open(owner: nil, balance: nil, metadata: nil)
        try story.create(1, .debit, "5")
        try story.resolve(.revert(Story.transfer(1), note: nil))
        try story.create(2, .debit, "5", settlesAtOnce: true)
        try story.resolve(.amend(Amendment(status: nil, metadata: nil, overdraftLimit: nil, note: nil)))
        return story.events
    }
}

private struct Story {
    private static let walletID = WalletID(RawUUID(bits: 0x0199_AAAA << 96 | 1))

    let origin: EventOrigin
    var hasDetails = true
    private(set) var events: [WalletEvent] = []
    private var transfers: [TransferID: Receipt] = [:]
    private var wallet: Wallet?
    private var keys: UInt128 = 0

    init(origin: EventOrigin, hasDetails: Bool = true) {
        self.origin = origin
        self.hasDetails = hasDetails
    }

    static func transfer(_ number: Int) -> TransferID { TransferID(RawUUID(bits: 0xBBBB << 64 | UInt128(number))) }
    static func moment(_ second: Int64) -> Timestamp {
        Timestamp(microseconds: (1_800_000_000 + second) * 1_000_000)
    }

    static func amount(_ text: String) throws -> DecimalAmount { try DecimalAmount(text: text.utf8) }

    mutating func open(owner: String?, balance: String?, metadata: String?) throws {
        let asset = try #require(AssetTable()["EUR"])
        try decide(
            .open(
                Opening(
                    ownerID: owner, asset: asset, initialBalance: try balance.map { try Self.amount($0) },
                    metadata: metadata, hasClientID: false)))
    }

    mutating func create(
        _ number: Int, _ direction: Direction, _ amount: String, settlesAtOnce: Bool = false,
        expiry: TransferOrder.Expiry = .never
    ) throws {
        try decide(
            .transfer(
                TransferOrder(
                    id: Self.transfer(number), hasClientID: false, direction: direction,
                    amount: try Self.amount(amount), settlesAtOnce: settlesAtOnce, expiry: expiry,
                    description: hasDetails ? "for \u{1F6B2}" : nil, metadata: hasDetails ? "{}" : nil)))
    }

    mutating func resolve(_ command: Command, at now: Timestamp = Story.moment(1)) throws {
        try decide(command, at: now)
    }

    mutating func amend(status: WalletStatus?) throws {
        try decide(
            .amend(Amendment(status: status, metadata: nil, overdraftLimit: nil, note: nil)), at: Story.moment(1600))
    }

    mutating func reverse(_ original: Int, by number: Int, _ amount: String) throws {
        try decide(
            .reverse(
                ReversalOrder(
                    original: Self.transfer(original), id: Self.transfer(number), hasClientID: false,
                    amount: try Self.amount(amount), description: nil, metadata: nil, note: nil)),
            at: Story.moment(1600))
    }

    private mutating func decide(_ command: Command, at now: Timestamp = Story.moment(0)) throws {
        keys += 1
        let isExpiry = if case .expire = command { true } else { false }
        let key = hasDetails && !isExpiry ? IdempotencyKey(reference: "key \(keys)", digest: keys) : nil
        let operation = Operation(
            walletID: Self.walletID, command: command, key: key, contentHash: key?.digest, expectedVersion: nil,
            actor: hasDetails ? "clerk 7" : nil)
        let standing = command.transferID.flatMap { transfers[$0] }
        let decision = Ledger.decide(
            operation, in: Situation(wallet: wallet, transfer: standing, priorByKey: nil, priorByID: nil), at: now)
        let posting = try #require(decision.postings.first, "nothing came of \(command): \(decision.verdict)")
        let before = wallet?.status
        wallet = posting.wallet
        if let transfer = posting.transfer { transfers[transfer.id] = posting.receipt }
        events.append(WalletEvent(posting, statusBefore: before, origin: origin))
    }

    /// What no route leads to yet: a wallet below zero by its overdraft limit, frozen; a transfer with another wallet.
    func withLimitAndCounterparty() throws -> WalletEvent {
        let last = try #require(events.last { $0.type == .transferCompleted })
        let transfer = try #require(last.transfer)
        let owner = try #require(wallet)
        let below = Wallet(
            id: owner.id, ownerID: owner.ownerID, asset: owner.asset, balance: -5, pendingDebit: 0, pendingCredit: 0,
            overdraftLimit: 1000, version: owner.version + 1, status: .frozen, metadata: owner.metadata,
            createdAt: owner.createdAt, updatedAt: owner.updatedAt)
        let between = Transfer(
            id: transfer.id, walletID: owner.id, direction: .credit, amount: 1, status: .completed, reason: nil,
            completedAmount: 1, referenceID: nil, description: nil, note: nil,
            counterparty: WalletID(RawUUID(bits: 7)), expiresAt: nil, metadata: nil,
            createdVersion: transfer.createdVersion, createdAt: transfer.createdAt, version: below.version,
            resolvedAt: transfer.resolvedAt)
        return WalletEvent(type: .transferCompleted, wallet: below, transfer: between, origin: origin)
    }
}
