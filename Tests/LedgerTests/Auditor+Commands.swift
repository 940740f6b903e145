import Ledger

/// What the auditor books for each command.
extension Auditor {
    mutating func create(
        _ order: TransferOrder, _ operation: Operation, _ wallet: Held, at time: Timestamp
    ) -> Expectation {
        let id = operation.walletID
        if let partner = order.counterparty {
            guard let other = held[partner] else { return .refused("counterpartyNotFound", recorded: false) }
            if other.asset.code != wallet.asset.code { return .refused("assetMismatch", recorded: false) }
        }
        if order.amount.writtenDecimals > wallet.asset.scale { return .refused("amountPrecision", recorded: false) }
        let expiresAt = Self.moment(order.expiry, from: time)
        if let expiresAt, expiresAt <= time { return .refused("expiryInPast", recorded: false) }
        let isAdjustment = order.purpose == .adjustment
        if !isAdjustment || wallet.status == .closed, let flaw = stopped(operation, wallet, order.counterparty) {
            return flaw
        }
        if let other = order.counterparty.flatMap({ held[$0] }), other.status == .closed {
            return refuse("counterpartyNotActive", operation)
        }
        let name = Name(wallet: id, id: order.id.uuid.bits)
        let mirror = order.counterparty.map { Name(wallet: $0, id: order.id.uuid.bits) }
        if stages[name] != nil || mirror.map({ stages[$0] != nil }) == true {
            return refuse("transferExists", operation)
        }
        if let flaw = stale(operation, wallet) { return flaw }
        let sum = Self.minor(order.amount, wallet.asset)
        let payer = order.direction == .credit ? id : order.counterparty
        if let payer, purse(payer) < sum {
            guard operation.key != nil, payer == id else { return refuse("insufficientFunds", operation) }
            stages[name] = .failed
            creations[name] = .some(operation.contentHash)
            partners[name] = order.counterparty
            grow(id, at: time)
            return .refused("insufficientFunds", recorded: true)
        }
        let plan = Plan(direction: order.direction, sum: sum, expiresAt: expiresAt, isAdjustment: isAdjustment)
        if order.settlesAtOnce {
            let (source, target) = ends(plan, id, order.counterparty, wallet.asset)
            move(sum, from: source, to: target)
        } else {
            hold(plan, id, wallet.asset)
            if let partner = order.counterparty { hold(plan.mirrored, partner, wallet.asset) }
        }
        note(
            order.settlesAtOnce ? .settled(order.direction, left: sum, isReversible: !isAdjustment) : .pending(plan),
            name, mirror)
        creations[name] = .some(operation.contentHash)
        grow(id, order.counterparty, at: time)
        return .applied
    }

    /// Where settled money comes from and goes to.
    private func ends(_ plan: Plan, _ id: WalletID, _ partner: WalletID?, _ asset: Asset) -> (Account, Account) {
        let beyond: Account =
            if let partner { .free(partner) } else if plan.isAdjustment { .system(asset.code) } else {
                .outside(asset.code)
            }
        return plan.direction == .debit ? (beyond, .free(id)) : (.free(id), beyond)
    }

    private mutating func hold(_ plan: Plan, _ id: WalletID, _ asset: Asset) {
        switch plan.direction {
        case .debit: move(plan.sum, from: .promised(asset.code), to: .announced(id))
        case .credit: move(plan.sum, from: .free(id), to: .reserved(id))
        }
    }

    private mutating func unhold(_ plan: Plan, _ id: WalletID, _ asset: Asset) {
        switch plan.direction {
        case .debit: move(plan.sum, from: .announced(id), to: .promised(asset.code))
        case .credit: move(plan.sum, from: .reserved(id), to: .free(id))
        }
    }

    /// Both wallets learn where the transfer stands, each from its own side.
    private mutating func note(_ stage: Stage, _ name: Name, _ mirror: Name?) {
        stages[name] = stage
        guard let mirror else { return }
        partners[name] = mirror.wallet
        partners[mirror] = name.wallet
        switch stage {
        case .pending(let plan): stages[mirror] = .pending(plan.mirrored)
        case .settled(let direction, let left, let isReversible):
            stages[mirror] = .settled(
                direction == .debit ? .credit : .debit, left: left, isReversible: isReversible)
        case .failed: stages[mirror] = .failed
        }
    }

    mutating func resolve(
        _ operation: Operation, _ wallet: Held, _ partner: WalletID?, at time: Timestamp
    ) -> Expectation {
        guard let transfer = operation.command.transferID else { return .replayed }
        var asked: Int128?
        if case .complete(_, .some(let amount)) = operation.command {
            if amount.writtenDecimals > wallet.asset.scale { return .refused("amountPrecision", recorded: false) }
            asked = Self.minor(amount, wallet.asset)
        }
        let isExpiry = if case .expire = operation.command { true } else { false }
        if !isExpiry, let flaw = stopped(operation, wallet, partner) { return flaw }
        let name = Name(wallet: operation.walletID, id: transfer.uuid.bits)
        guard let plan = pending(name) else {
            return refuse(stages[name] == nil ? "transferNotFound" : "transferNotPending", operation)
        }
        let isOver = plan.expiresAt.map { $0 <= time } ?? false
        if isExpiry, !isOver { return refuse("transferNotPending", operation) }
        if isOver {
            finish(plan, settling: nil, name, partner, wallet.asset, at: time)
            return isExpiry ? .applied : refuse("transferNotPending", operation)
        }
        if let flaw = stale(operation, wallet) { return flaw }
        if case .complete = operation.command {
            if let asked, asked > plan.sum { return refuse("amountExceedsPending", operation) }
            finish(plan, settling: asked ?? plan.sum, name, partner, wallet.asset, at: time)
        } else {
            finish(plan, settling: nil, name, partner, wallet.asset, at: time)
        }
        return .applied
    }

    private func pending(_ name: Name) -> Plan? {
        guard case .some(.pending(let plan)) = stages[name] else { return nil }
        return plan
    }

    /// Ends a pending transfer: `part` is settled, the rest goes back to where it came from.
    private mutating func finish(
        _ plan: Plan, settling part: Int128?, _ name: Name, _ partner: WalletID?, _ asset: Asset, at time: Timestamp
    ) {
        unhold(plan, name.wallet, asset)
        if let partner { unhold(plan.mirrored, partner, asset) }
        if let part {
            let (source, target) = ends(plan, name.wallet, partner, asset)
            move(part, from: source, to: target)
        }
        let stage: Stage =
            part.map { .settled(plan.direction, left: $0, isReversible: !plan.isAdjustment) } ?? .failed
        note(stage, name, partner.map { Name(wallet: $0, id: name.id) })
        grow(name.wallet, partner, at: time)
    }

    mutating func extend(
        _ expiry: TransferOrder.Expiry, _ operation: Operation, _ wallet: Held, _ partner: WalletID?,
        at time: Timestamp
    ) -> Expectation {
        let asked = Self.moment(expiry, from: time)
        if let asked, asked <= time { return .refused("expiryInPast", recorded: false) }
        if let flaw = stopped(operation, wallet, partner) { return flaw }
        guard let transfer = operation.command.transferID else { return .replayed }
        let name = Name(wallet: operation.walletID, id: transfer.uuid.bits)
        guard var plan = pending(name) else {
            return refuse(stages[name] == nil ? "transferNotFound" : "transferNotPending", operation)
        }
        if let present = plan.expiresAt, present <= time {
            finish(plan, settling: nil, name, partner, wallet.asset, at: time)
            return refuse("transferNotPending", operation)
        }
        if let flaw = stale(operation, wallet) { return flaw }
        guard let asked, let present = plan.expiresAt, asked > present else {
            return refuse("expiryNotLater", operation)
        }
        plan.expiresAt = asked
        note(.pending(plan), name, partner.map { Name(wallet: $0, id: name.id) })
        grow(name.wallet, partner, at: time)
        return .applied
    }

    mutating func reverse(
        _ order: ReversalOrder, _ operation: Operation, _ wallet: Held, _ partner: WalletID?, at time: Timestamp
    ) -> Expectation {
        let id = operation.walletID
        if let amount = order.amount, amount.writtenDecimals > wallet.asset.scale {
            return .refused("amountPrecision", recorded: false)
        }
        if let flaw = stopped(operation, wallet, partner) { return flaw }
        let name = Name(wallet: id, id: order.original.uuid.bits)
        guard let stage = stages[name] else { return refuse("transferNotFound", operation) }
        let new = Name(wallet: id, id: order.id.uuid.bits)
        let newMirror = partner.map { Name(wallet: $0, id: order.id.uuid.bits) }
        if stages[new] != nil || newMirror.map({ stages[$0] != nil }) == true {
            return refuse("transferExists", operation)
        }
        guard case .settled(let direction, let left, let isReversible) = stage else {
            return refuse("transferNotCompleted", operation)
        }
        guard isReversible else { return refuse("transferNotReversible", operation) }
        if let flaw = stale(operation, wallet) { return flaw }
        let sum = order.amount.map { Self.minor($0, wallet.asset) } ?? left
        if sum > left || sum == 0 { return refuse("amountExceedsReversible", operation) }
        let payer = direction == .debit ? id : partner
        if let payer, purse(payer) < sum { return refuse("insufficientFunds", operation) }
        let back = Plan(
            direction: direction == .debit ? .credit : .debit, sum: sum, expiresAt: nil, isAdjustment: false)
        let (source, target) = ends(back, id, partner, wallet.asset)
        move(sum, from: source, to: target)
        note(
            .settled(direction, left: left - sum, isReversible: true), name,
            partner.map { Name(wallet: $0, id: name.id) })
        note(.settled(back.direction, left: 0, isReversible: false), new, newMirror)
        creations[new] = .some(operation.contentHash)
        grow(id, partner, at: time)
        return .applied
    }

    mutating func amend(
        _ amendment: Amendment, _ operation: Operation, _ wallet: Held, at time: Timestamp
    ) -> Expectation {
        let id = operation.walletID
        var limit: Int128?
        if let asked = amendment.overdraftLimit {
            if asked.writtenDecimals > wallet.asset.scale { return .refused("amountPrecision", recorded: false) }
            limit = Self.minor(asked, wallet.asset)
        }
        if wallet.status == .closed { return refuse("walletNotActive", operation) }
        if let flaw = stale(operation, wallet) { return flaw }
        if amendment.status == .closed, [.free(id), .reserved(id), .announced(id)].contains(where: { has($0) != 0 }) {
            return refuse("walletNotEmpty", operation)
        }
        if let limit, has(.free(id)) + limit < 0 { return refuse("overdraftInUse", operation) }
        if let limit { held[id]?.limit = limit }
        if let status = amendment.status { held[id]?.status = status }
        grow(id, at: time)
        return .applied
    }
}

extension Auditor.Plan {
    /// The same as the other wallet sees it.
    fileprivate var mirrored: Auditor.Plan {
        .init(
            direction: direction == .debit ? .credit : .debit, sum: sum, expiresAt: expiresAt,
            isAdjustment: isAdjustment)
    }
}
