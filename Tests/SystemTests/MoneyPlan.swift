import Foundation
import TestSupport

/// What a client does next, by chance.
struct MoneyPlan {
    private let world: MoneyWorld
    private let number: Int
    private var keys = 0

    init(_ number: Int, in world: MoneyWorld) {
        self.number = number
        self.world = world
    }

    mutating func newKey() -> String {
        keys += 1
        return "client \(number) command \(keys)"
    }

    /// Any command. `available` tells what can be taken out of a wallet now, as far as one can know.
    mutating func next(_ random: inout TestRandom, available: (String) -> Int) -> MoneyCommand {
        let key = newKey()
        switch random.below(100) {
        case 0..<4: return MoneyCommand(kind: .open, wallet: "", key: key, keyInHeader: random.below(2) == 0)
        case 4..<14: return batch(key, &random, available)
        case 14..<16: return MoneyCommand(kind: .amend(status: "frozen"), wallet: wallet(&random), key: key)
        default:
            var command = operation(key, &random, available)
            // Some are protected by the transfer's id alone, others have it besides their key.
            guard command.transfer == nil, command.createsTransfer, random.below(3) == 0 else { return command }
            command.transfer = UUID.seeded(&random).uuidString.lowercased()
            if random.below(3) == 0 { command.key = nil }
            return command
        }
    }

    /// An operation that has a route of its own and a place in batches.
    private func operation(_ key: String, _ random: inout TestRandom, _ available: (String) -> Int) -> MoneyCommand {
        let wallet = wallet(&random)
        let isPending = random.below(2) == 0
        let kind: MoneyCommand.Kind
        switch random.below(100) {
        case 0..<16: kind = .debit(cents: 1 + random.below(5_000), pending: false)
        case 16..<28: kind = .credit(cents: 1 + random.below(9_000), pending: false)
        case 28..<32: kind = .credit(cents: available(wallet), pending: isPending)
        case 32..<38: kind = .debit(cents: 1 + random.below(5_000), pending: true)
        case 38..<45: kind = .credit(cents: 1 + random.below(4_000), pending: true)
        case 45..<63:
            kind = .transfer(to: other(than: wallet, &random), cents: 1 + random.below(4_000), pending: isPending)
        case 63..<67: kind = .adjust(cents: 1 + random.below(2_000), isDebit: random.below(3) > 0)
        default:
            if let command = sequel(key, &random) { return command }
            kind = .debit(cents: 1 + random.below(3_000), pending: true)
        }
        var command = MoneyCommand(kind: kind, wallet: wallet, key: key, keyInHeader: random.below(3) == 0)
        if command.isPending, random.below(4) == 0 { command.expiresIn = 1 + random.below(4) }
        return command
    }

    /// Something about a transfer that is there, through the path of either of its wallets.
    private func sequel(_ key: String, _ random: inout TestRandom) -> MoneyCommand? {
        let roll = random.below(10)
        guard let known = roll < 3 ? world.pickSettled(&random) : world.pickOpen(&random) else { return nil }
        let kind: MoneyCommand.Kind =
            switch roll {
            case 0..<3: .reverse(cents: random.below(3) == 0 ? nil : 1 + random.below(known.cents))
            case 3..<5: .revert
            case 5: .extend(seconds: 1 + random.below(5))
            case 6: .complete(cents: 1 + random.below(known.cents))
            default: .complete(cents: nil)
            }
        let wallet = random.below(2) == 0 ? known.other ?? known.wallet : known.wallet
        return MoneyCommand(kind: kind, wallet: wallet, transfer: known.id, key: key)
    }

    /// Some operations at once, half of them with keys of their own, the others with those that follow from the
    /// batch's. Of those that are all or nothing most are to succeed.
    private func batch(_ key: String, _ random: inout TestRandom, _ available: (String) -> Int) -> MoneyCommand {
        let isAtomic = random.below(2) == 0
        let items = (0..<(2 + random.below(7))).map { place in
            let isNamed = random.below(2) == 0
            let itemKey = isNamed ? "\(key) operation \(place)" : "\(key)#\(place)"
            var item: MoneyCommand
            if isAtomic, random.below(8) > 0 {
                let from = wallet(&random)
                let kind: MoneyCommand.Kind =
                    random.below(3) == 0
                    ? .debit(cents: 1 + random.below(5_000), pending: false)
                    : .transfer(
                        to: other(than: from, &random), cents: 1 + random.below(500), pending: random.below(2) == 0)
                item = MoneyCommand(kind: kind, wallet: from, key: itemKey)
            } else if !isAtomic, random.below(12) == 0 {
                item = MoneyCommand(kind: .open, wallet: "", key: itemKey)
            } else {
                item = operation(itemKey, &random, available)
            }
            item.keyInHeader = !isNamed
            return item
        }
        return MoneyCommand(
            kind: .batch(items, isAtomic: isAtomic), wallet: "", key: key, keyInHeader: random.below(2) == 0)
    }

    /// Half of all operations meet in two wallets.
    private func wallet(_ random: inout TestRandom) -> String {
        world.wallets[random.below(2) == 0 ? random.below(2) : random.below(world.wallets.count)]
    }

    /// Between the two busy wallets money goes in both directions at the same time.
    private func other(than wallet: String, _ random: inout TestRandom) -> String {
        let busy = world.wallets.prefix(2).filter { $0 != wallet }
        let rest = world.wallets.filter { $0 != wallet }
        return random.below(2) == 0 ? busy[random.below(busy.count)] : rest[random.below(rest.count)]
    }
}

extension MoneyCommand {
    /// Whether a client may choose the id of the transfer that it makes.
    fileprivate var createsTransfer: Bool {
        switch kind {
        case .debit, .credit, .transfer: true
        default: false
        }
    }

    fileprivate var isPending: Bool {
        switch kind {
        case .debit(_, let pending), .credit(_, let pending), .transfer(_, _, let pending): pending
        default: false
        }
    }
}
