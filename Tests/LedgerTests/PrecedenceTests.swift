import Ledger
import Testing

/// A reason to refuse, in the order in which the contract says they win.
private enum Fault: Int, CaseIterable {
    case keyReused, sameWallet, walletMissing, otherMissing, otherAsset, precision, tooLarge, expiryPast, walletThere
    case notActive, otherNotActive, transferMissing, transferThere, notPending, notCompleted, notReversible
    case staleVersion, notLater, abovePending, aboveReversible, notEmpty, limitInUse, noFunds, outOfRange

    /// The refusal that says it, without its payload, and whether a repeat under a key must get it again.
    var refusal: (name: String, recorded: Bool) {
        switch self {
        case .keyReused: ("idempotencyKeyReused", false)
        case .sameWallet: ("selfTransfer", false)
        case .walletMissing: ("walletNotFound", false)
        case .otherMissing: ("counterpartyNotFound", false)
        case .otherAsset: ("assetMismatch", false)
        case .otherNotActive: ("counterpartyNotActive", true)
        case .notCompleted: ("transferNotCompleted", true)
        case .notReversible: ("transferNotReversible", true)
        case .notLater: ("expiryNotLater", true)
        case .aboveReversible: ("amountExceedsReversible", true)
        case .notEmpty: ("walletNotEmpty", true)
        case .limitInUse: ("overdraftInUse", true)
        case .walletThere: ("walletExists", false)
        case .precision: ("amountPrecision", false)
        case .tooLarge, .outOfRange: ("amountOutOfRange", true)
        case .expiryPast: ("expiryInPast", false)
        case .notActive: ("walletNotActive", true)
        case .transferMissing: ("transferNotFound", true)
        case .transferThere: ("transferExists", true)
        case .notPending: ("transferNotPending", true)
        case .staleVersion: ("versionMismatch", true)
        case .abovePending: ("amountExceedsPending", true)
        case .noFunds: ("insufficientFunds", true)
        }
    }
}

/// Builds, for any set of faults, an operation and a situation in which all of them apply at once.
private struct Scene {
    enum Kind: CaseIterable {
        case open, debit, credit, creditAtOnce, adjust, pay, complete, completeBetween, revert, expire, extend, reverse
        case amend

        /// Whether another wallet has the other side of it.
        var isBetween: Bool { [.pay, .completeBetween, .extend, .reverse].contains(self) }
        /// Whether a refusal for want of money makes a failed transfer.
        var leavesFailure: Bool { [.credit, .creditAtOnce, .adjust, .pay].contains(self) }
    }

    let kind: Kind
    let faults: Set<Fault>

    /// Everything that can be wrong with a command of this kind.
    static func faults(of kind: Kind) -> [Fault] {
        switch kind {
        case .open: [.keyReused, .walletThere, .precision, .tooLarge]
        case .debit:
            [
                .keyReused, .walletMissing, .precision, .tooLarge, .expiryPast, .notActive, .transferThere,
                .staleVersion, .outOfRange,
            ]
        case .pay:
            [
                .keyReused, .sameWallet, .walletMissing, .otherMissing, .otherAsset, .precision, .tooLarge,
                .expiryPast, .notActive, .otherNotActive, .transferThere, .staleVersion, .noFunds, .outOfRange,
            ]
        case .completeBetween:
            [
                .keyReused, .walletMissing, .precision, .tooLarge, .notActive, .otherNotActive, .transferMissing,
                .notPending, .staleVersion, .abovePending, .outOfRange,
            ]
        case .extend:
            [
                .keyReused, .walletMissing, .expiryPast, .notActive, .otherNotActive, .transferMissing, .notPending,
                .staleVersion, .notLater,
            ]
        case .reverse:
            [
                .keyReused, .walletMissing, .precision, .tooLarge, .notActive, .otherNotActive, .transferMissing,
                .transferThere, .notCompleted, .notReversible, .staleVersion, .aboveReversible, .noFunds, .outOfRange,
            ]
        case .amend:
            [
                .keyReused, .walletMissing, .precision, .tooLarge, .notActive, .staleVersion, .notEmpty, .limitInUse,
            ]
        case .credit, .creditAtOnce, .adjust:
            [
                .keyReused, .walletMissing, .precision, .tooLarge, .expiryPast, .notActive, .transferThere,
                .staleVersion, .noFunds,
            ]
        case .complete:
            [
                .keyReused, .walletMissing, .precision, .tooLarge, .notActive, .transferMissing, .notPending,
                .staleVersion, .abovePending,
            ]
        case .revert: [.keyReused, .walletMissing, .notActive, .transferMissing, .notPending, .staleVersion]
        case .expire: [.keyReused, .walletMissing, .transferMissing, .notPending]
        }
    }

    var isImpossible: Bool {
        // Of an unknown transfer nobody knows the other wallet.
        faults.isSuperset(of: [.precision, .tooLarge]) || faults.isSuperset(of: [.transferMissing, .otherNotActive])
    }

    func amount() throws -> DecimalAmount {
        if faults.contains(.precision) { return try sum("1.001") }
        // 38 digits are a sum; with the asset's two decimals they are not.
        if faults.contains(.tooLarge) { return try sum(String(repeating: "9", count: 38)) }
        let isLarge = !faults.isDisjoint(with: [.abovePending, .aboveReversible, .noFunds])
        return try sum(isLarge && !(kind == .reverse && !faults.contains(.aboveReversible)) ? "5.01" : "1")
    }

    func command() throws -> Command {
        let expiry = TransferOrder.Expiry.at(faults.contains(.expiryPast) ? second(10) : second(11))
        switch kind {
        case .open:
            return .open(
                Opening(
                    ownerID: "owner", asset: try TestAssets.asset("EUR"), initialBalance: try amount(), metadata: nil,
                    hasClientID: true))
        case .debit: return order(.debit, try amount(), expiry: expiry)
        case .credit: return order(.credit, try amount(), expiry: expiry)
        case .creditAtOnce: return order(.credit, try amount(), atOnce: true, expiry: expiry)
        case .adjust: return order(.credit, try amount(), atOnce: true, expiry: expiry, as: .adjustment)
        case .pay:
            return order(.credit, try amount(), expiry: expiry, with: wallet(faults.contains(.sameWallet) ? 1 : 2))
        case .complete, .completeBetween: return .complete(transfer(1), amount: try amount())
        case .extend:
            return .extend(
                transfer(1),
                expiry: .at(faults.contains(.expiryPast) ? second(10) : second(faults.contains(.notLater) ? 11 : 12)))
        case .reverse: return reversal(of: transfer(1), try amount(), id: transfer(2))
        case .amend: return amendment(status: faults.contains(.notEmpty) ? .closed : nil, limit: try amount())
        case .revert: return .revert(transfer(1), note: nil)
        case .expire: return .expire(transfer(1))
        }
    }

    func walletBefore() throws -> Wallet? {
        if kind == .open ? !faults.contains(.walletThere) : faults.contains(.walletMissing) { return nil }
        // An administrator may still set a frozen wallet right, and change it.
        let stopped: WalletStatus = kind == .amend || kind == .adjust ? .closed : .frozen
        var balance: Int128 = 1000
        if faults.contains(.outOfRange), kind == .debit { balance = Money.largest - 599 }
        if faults.contains(.noFunds), kind == .reverse { balance = 599 }
        if kind == .amend { balance = faults.contains(.limitInUse) ? -1 : faults.contains(.notEmpty) ? 1000 : 0 }
        return standing(
            asset: try TestAssets.asset("EUR"), balance: balance, pendingDebit: kind == .amend ? 0 : 500,
            pendingCredit: kind == .amend && !faults.contains(.limitInUse) ? 0 : 500, overdraftLimit: 0, version: 4,
            status: faults.contains(.notActive) ? stopped : .active)
    }

    func otherBefore() throws -> Wallet? {
        guard kind.isBetween, faults.isDisjoint(with: [.otherMissing, .transferMissing]) else { return nil }
        return standing(
            wallet(2), asset: try TestAssets.asset(faults.contains(.otherAsset) ? "USD" : "EUR"),
            balance: faults.contains(.outOfRange) ? Money.largest - 50 : 0, pendingDebit: 500, pendingCredit: 0,
            version: 9, status: faults.contains(.otherNotActive) ? .closed : .active)
    }

    func transferBefore(_ owner: Wallet?) throws -> Receipt? {
        guard let owner else { return nil }
        switch kind {
        case .open, .amend: return nil
        case .debit, .credit, .creditAtOnce, .adjust, .pay: if !faults.contains(.transferThere) { return nil }
        case .complete, .completeBetween, .revert, .expire, .extend, .reverse:
            if faults.contains(.transferMissing) { return nil }
        }
        let isPending = kind == .reverse ? faults.contains(.notCompleted) : !faults.contains(.notPending)
        let isOwn = owner.id == wallet(1)
        // What is reversed came in, so that its reversal has to be paid for.
        let direction: Direction = (kind == .reverse) == isOwn ? .debit : .credit
        return Receipt(
            wallet: owner,
            transfer: Transfer(
                id: transfer(1), walletID: owner.id, direction: direction, amount: 500,
                status: isPending ? .pending : .completed, reason: nil, completedAmount: isPending ? nil : 500,
                referenceID: nil, description: nil, note: nil,
                counterparty: kind.isBetween ? wallet(isOwn ? 2 : 1) : nil,
                expiresAt: kind == .expire ? second(10) : kind == .extend ? second(11) : nil, metadata: nil,
                createdVersion: 2, createdAt: second(0), version: isPending ? 2 : 3,
                resolvedAt: isPending ? nil : second(0),
                purpose: faults.contains(.notReversible) ? .reversal : .transfer))
    }

    func decision(keyed: Bool, priorByKey: Prior?) throws -> Decision {
        let wallet = try walletBefore()
        let situation = Situation(
            wallet: wallet, transfer: try transferBefore(wallet), priorByKey: priorByKey, priorByID: nil,
            counterparty: try otherBefore(), counterpartyTransfer: try transferBefore(try otherBefore()),
            isNewIDTaken: kind == .reverse && faults.contains(.transferThere))
        let operation = operation(
            try command(), key: keyed ? key(1) : nil, ifMatch: faults.contains(.staleVersion) ? 3 : nil)
        return decide(operation, in: situation, at: second(10))
    }

    var words: String { "\(kind) with \(faults.sorted { $0.rawValue < $1.rawValue })" }
}

@Suite("Precedence of refusals")
struct PrecedenceTests {
    private func scenes(of kind: Scene.Kind) -> [Scene] {
        let faults = Scene.faults(of: kind)
        return (0..<1 << faults.count).map { mask in
            Scene(kind: kind, faults: Set(faults.indices.filter { mask >> $0 & 1 == 1 }.map { faults[$0] }))
        }.filter { !$0.isImpossible }
    }

    /// Every set of faults, so every pair too: the first in order is the one that is told.
    @Test("the first fault in order is told", arguments: Scene.Kind.allCases, [true, false])
    fileprivate func firstFault(kind: Scene.Kind, keyed: Bool) throws {
        for scene in scenes(of: kind) {
            if !keyed, scene.faults.contains(.keyReused) { continue }
            let prior = Prior(contentHash: 8, outcome: .refused(.walletNotFound))
            let decision = try scene.decision(keyed: keyed, priorByKey: scene.faults.contains(.keyReused) ? prior : nil)
            // A missing wallet has no state that could be wrong, but an opening is refused without one all the same.
            let first = scene.faults.min { $0.rawValue < $1.rawValue }
            guard let first else {
                let count = kind.isBetween ? 2 : 1
                #expect(decision.verdict.receipt != nil && decision.postings.count == count, "\(scene.words)")
                continue
            }
            let refused = try #require(decision.verdict.refusal, "\(scene.words) was not refused")
            #expect(refused.refusal.name == first.refusal.name, "\(scene.words)")
            let recorded = keyed && first.refusal.recorded && kind != .open
            #expect(refused.recorded == recorded, "\(scene.words)")
            #expect(
                decision.postings.count == (recorded && first == .noFunds && kind.leavesFailure ? 1 : 0),
                "\(scene.words)")
        }
    }

    @Test("a repeat is answered before anything is looked at", arguments: Scene.Kind.allCases)
    fileprivate func replayFirst(kind: Scene.Kind) throws {
        let outcome = Prior.Outcome.refused(.versionMismatch(current: 9))
        for scene in scenes(of: kind) {
            let decision = try scene.decision(keyed: true, priorByKey: Prior(contentHash: 7, outcome: outcome))
            #expect(decision.verdict == .replayed(outcome) && decision.postings.isEmpty, "\(scene.words)")
        }
    }

    @Test("every command meets every refusal in some scene")
    func coverage() {
        let met = Set(Scene.Kind.allCases.flatMap { Scene.faults(of: $0) })
        #expect(met == Set(Fault.allCases))
    }

    @Test("refusals carry what the client needs")
    func payloads() throws {
        let euro = try TestAssets.asset("EUR")
        func refusal(_ kind: Scene.Kind, _ faults: Set<Fault>) throws -> Refusal? {
            try Scene(kind: kind, faults: faults).decision(keyed: false, priorByKey: nil).verdict.refusal?.refusal
        }
        #expect(try refusal(.credit, [.noFunds]) == .insufficientFunds(available: 500, amount: 501, asset: euro))
        #expect(try refusal(.complete, [.abovePending]) == .amountExceedsPending(pending: 500, asset: euro))
        #expect(try refusal(.debit, [.precision]) == .amountPrecision(scale: 2))
        #expect(try refusal(.revert, [.staleVersion]) == .versionMismatch(current: 4))
        #expect(try refusal(.revert, [.notActive]) == .walletNotActive(.frozen))
        guard case .transferNotPending(let receipt) = try refusal(.complete, [.notPending]) else {
            Issue.record("not told as it stands")
            return
        }
        #expect(receipt.transfer?.status == .completed && receipt.transfer?.completedAmount == 500)
    }
}
