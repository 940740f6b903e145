import Ledger
import Requests

/// What an operation has besides its members: out of a path and headers, or out of a batch.
struct OperationFrame {
    /// The wallet it is about; a new one's id for an opening.
    let walletID: WalletID
    /// The transfer it resolves, extends or reverses.
    let transferID: TransferID
    /// The client's id for the transfer it creates.
    let newID: RawUUID?
    /// What a new wallet is to hold.
    let asset: Asset
    let key: IdempotencyKey?
    let expectedVersion: Int64?
    let actor: String?
}

/// One function a kind: what was read becomes a command and the digest of its content.
extension RequestDecoder {
    /// The operation that `parts` ask for. They have been checked: what must be there is there.
    func operation(
        _ kind: OperationKind, _ parts: OperationParts, _ frame: OperationFrame
    ) throws(Problem) -> Operation {
        switch kind {
        case .openWallet: opening(parts, frame)
        case .debit: try order(.debit, .debit, parts, frame)
        case .credit: try order(.credit, .credit, parts, frame)
        case .transfer: try order(.credit, .transfer, parts, frame)
        case .complete: completion(parts, frame)
        case .revert: reversion(parts, frame)
        case .reverse: reversal(parts, frame)
        case .extend: extending(parts, frame)
        case .adjust: try adjustment(parts, frame)
        case .amend: amendment(parts, frame)
        }
    }

    private func operation(_ command: Command, _ hash: UInt128?, _ frame: OperationFrame) -> Operation {
        Operation(
            walletID: frame.walletID, command: command, key: frame.key, contentHash: hash,
            expectedVersion: frame.expectedVersion, actor: frame.actor)
    }

    /// What the checks of the parts have excluded.
    private static func missing(_ member: Member) -> Problem {
        Problem(member.name, .required, "The \(member.name) is missing.")
    }

    private func opening(_ parts: OperationParts, _ frame: OperationFrame) -> Operation {
        OpeningRequest(
            walletID: parts.walletID.map { WalletID($0) }, ownerID: parts.ownerID, asset: frame.asset,
            writtenAsset: parts.assetCode, initialBalance: parts.amount, metadata: parts.metadata, key: frame.key
        ).operation(newID: newID, actor: frame.actor)
    }

    /// Debits, credits, and transfers to another wallet, which are credits of the wallet that the money leaves.
    private func order(
        _ direction: Direction, _ kind: ContentHash.Kind, _ parts: OperationParts, _ frame: OperationFrame
    ) throws(Problem) -> Operation {
        guard let amount = parts.amount else { throw Self.missing(.amount) }
        let counterparty = parts.toWalletID.map { WalletID($0) }
        var hash: UInt128?
        if frame.key != nil || frame.newID != nil {
            var content = ContentHash(kind)
            content.add(wallet: frame.walletID)
            if let counterparty { content.add(counterparty: counterparty) }
            if let id = frame.newID { content.add(transfer: TransferID(id)) }
            content.add(amount: amount)
            content.add(settlesAtOnce: parts.settlesAtOnce)
            content.add(expiry: parts.expiry)
            content.add(description: parts.description)
            content.add(metadata: parts.metadata)
            hash = content.value
        }
        let order = TransferOrder(
            id: TransferID(frame.newID ?? newID()), hasClientID: frame.newID != nil, direction: direction,
            amount: amount, settlesAtOnce: parts.settlesAtOnce, expiry: parts.expiry,
            description: parts.description, metadata: parts.metadata, counterparty: counterparty)
        return operation(.transfer(order), hash, frame)
    }

    private func completion(_ parts: OperationParts, _ frame: OperationFrame) -> Operation {
        let hash = resolutionHash(.complete, parts, frame)
        return operation(.complete(frame.transferID, amount: parts.amount), hash, frame)
    }

    private func reversion(_ parts: OperationParts, _ frame: OperationFrame) -> Operation {
        let hash = resolutionHash(.revert, parts, frame)
        return operation(.revert(frame.transferID, note: parts.reason), hash, frame)
    }

    private func extending(_ parts: OperationParts, _ frame: OperationFrame) -> Operation {
        let hash = resolutionHash(.extend, parts, frame)
        return operation(.extend(frame.transferID, expiry: parts.expiry), hash, frame)
    }

    /// The content of what is asked of a pending transfer; nil without a key, since it creates nothing.
    private func resolutionHash(
        _ kind: ContentHash.Kind, _ parts: OperationParts, _ frame: OperationFrame
    ) -> UInt128? {
        guard frame.key != nil else { return nil }
        var content = ContentHash(kind)
        content.add(wallet: frame.walletID)
        content.add(transfer: frame.transferID)
        content.add(amount: parts.amount)
        content.add(expiry: parts.expiry)
        content.add(note: parts.reason)
        return content.value
    }

    private func reversal(_ parts: OperationParts, _ frame: OperationFrame) -> Operation {
        var hash: UInt128?
        if frame.key != nil || frame.newID != nil {
            var content = ContentHash(.reverse)
            content.add(wallet: frame.walletID)
            content.add(transfer: frame.transferID)
            if let id = frame.newID { content.add(reversal: TransferID(id)) }
            content.add(amount: parts.amount)
            content.add(description: parts.description)
            content.add(metadata: parts.metadata)
            content.add(note: parts.reason)
            hash = content.value
        }
        let order = ReversalOrder(
            original: frame.transferID, id: TransferID(frame.newID ?? newID()), hasClientID: frame.newID != nil,
            amount: parts.amount, description: parts.description, metadata: parts.metadata, note: parts.reason)
        return operation(.reverse(order), hash, frame)
    }

    private func adjustment(_ parts: OperationParts, _ frame: OperationFrame) throws(Problem) -> Operation {
        guard let amount = parts.amount else { throw Self.missing(.amount) }
        guard let direction = parts.direction else { throw Self.missing(.direction) }
        var hash: UInt128?
        if frame.key != nil || frame.newID != nil {
            var content = ContentHash(.adjust)
            content.add(wallet: frame.walletID)
            if let id = frame.newID { content.add(transfer: TransferID(id)) }
            content.add(direction: direction)
            content.add(amount: amount)
            content.add(metadata: parts.metadata)
            content.add(note: parts.reason)
            hash = content.value
        }
        let order = TransferOrder(
            id: TransferID(frame.newID ?? newID()), hasClientID: frame.newID != nil, direction: direction,
            amount: amount, settlesAtOnce: true, expiry: .never, description: nil, metadata: parts.metadata,
            purpose: .adjustment, note: parts.reason)
        return operation(.transfer(order), hash, frame)
    }

    private func amendment(_ parts: OperationParts, _ frame: OperationFrame) -> Operation {
        let metadata: Amendment.MetadataChange? = parts.removesMetadata ? .remove : parts.metadata.map { .set($0) }
        let amendment = Amendment(
            status: parts.walletStatus, metadata: metadata, overdraftLimit: parts.amount, note: parts.reason)
        var hash: UInt128?
        if frame.key != nil {
            var content = ContentHash(.amend)
            content.add(wallet: frame.walletID)
            content.add(amendment)
            hash = content.value
        }
        return operation(.amend(amendment), hash, frame)
    }
}
