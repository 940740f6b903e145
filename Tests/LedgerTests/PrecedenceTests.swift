import Ledger
import Testing

/// A reason to refuse, in the order in which the contract says they win.
private enum Fault: Int, CaseIterable {
    case keyReused, walletMissing, precision, tooLarge, expiryPast, walletThere, notActive, transferMissing
    case transferThere, notPending, staleVersion, abovePending, noFunds, outOfRange

    /// The refusal that says it, without its payload, and whether a repeat under a key must get it again.
    var refusal: (name: String, recorded: Bool) {
        switch self {
        case .keyReused: ("idempotencyKeyReused", false)
        case .walletMissing: ("walletNotFound", false)
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
    enum Kind: CaseIterable { case open, debit, credit, creditAtOnce, complete, revert, expire }

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
        case .credit, .creditAtOnce:
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

    var isImpossible: Bool { faults.contains(.precision) && faults.contains(.tooLarge) }

    func amount() throws -> DecimalAmount {
        if faults.contains(.precision) { return try sum("1.001") }
        // 38 digits are a sum; with the asset's two decimals they are not.
        if faults.contains(.tooLarge) { return try sum(String(repeating: "9", count: 38)) }
        return try sum(faults.contains(.abovePending) || faults.contains(.noFunds) ? "5.01" : "1")
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
        case .complete: return .complete(transfer(1), amount: try amount())
        case .revert: return .revert(transfer(1), note: nil)
        case .expire: return .expire(transfer(1))
        }
    }

    func walletBefore() throws -> Wallet? {
        if kind == .open ? !faults.contains(.walletThere) : faults.contains(.walletMissing) { return nil }
        return standing(
            asset: try TestAssets.asset("EUR"), balance: faults.contains(.outOfRange) ? Money.largest - 599 : 1000,
            pendingDebit: 500, pendingCredit: 500, version: 4, status: faults.contains(.notActive) ? .frozen : .active)
    }

    func transferBefore(_ wallet: Wallet?) throws -> Receipt? {
        guard let wallet else { return nil }
        switch kind {
        case .open: return nil
        case .debit, .credit, .creditAtOnce: if !faults.contains(.transferThere) { return nil }
        case .complete, .revert, .expire: if faults.contains(.transferMissing) { return nil }
        }
        let isPending = !faults.contains(.notPending)
        return Receipt(
            wallet: wallet,
            transfer: Transfer(
                id: transfer(1), walletID: wallet.id, direction: .credit, amount: 500,
                status: isPending ? .pending : .completed, reason: nil, completedAmount: isPending ? nil : 500,
                referenceID: nil, description: nil, note: nil, counterparty: nil,
                expiresAt: kind == .expire ? second(10) : nil, metadata: nil, createdVersion: 2, createdAt: second(0),
                version: isPending ? 2 : 3, resolvedAt: isPending ? nil : second(0)))
    }

    func decision(keyed: Bool, priorByKey: Prior?) throws -> Decision {
        let wallet = try walletBefore()
        let situation = Situation(
            wallet: wallet, transfer: try transferBefore(wallet), priorByKey: priorByKey, priorByID: nil)
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
                #expect(decision.verdict.receipt != nil && decision.postings.count == 1, "\(scene.words)")
                continue
            }
            let refused = try #require(decision.verdict.refusal, "\(scene.words) was not refused")
            #expect(refused.refusal.name == first.refusal.name, "\(scene.words)")
            let recorded = keyed && first.refusal.recorded && kind != .open
            #expect(refused.recorded == recorded, "\(scene.words)")
            #expect(decision.postings.count == (recorded && first == .noFunds ? 1 : 0), "\(scene.words)")
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
