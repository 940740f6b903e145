import Events
import Ledger
import Postgres

/// A projected transfer as it was seen.
struct SeenTransfer {
    let id: TransferID
    let version: Int64
    let createdVersion: Int64
}

/// Corrects projections from the journal in short transactions, each of which leaves every row as it was or as the
/// journal says. Belongs to the thread that uses the writer's connection.
struct ProjectionCorrection {
    let writer: ProjectionWriter

    private var connection: PostgresConnection { writer.connection }
    private var parameters: PostgresParameters { writer.parameters }

    /// Writes the transfers of `events` where the projection has nothing newer. False ones give way first, if they are
    /// still as they were seen.
    func transfers(of wallet: WalletID, _ events: [WalletEvent], replacing seen: [SeenTransfer] = []) throws {
        try connection.pipeline { pipeline in
            try pipeline.sendBegin()
            var statements = 2
            if !seen.isEmpty {
                try sendForget(seen, of: wallet, on: pipeline)
                statements += 1
            }
            if try writer.sendTransfers(events, as: "correct_transfers", on: pipeline) { statements += 1 }
            try finish(statements, on: pipeline)
        }
    }

    /// Writes the wallet of `event` where the projection has nothing newer; a row at `falseVersion` gives way. All
    /// entries up to the event count as audited.
    func wallet(_ event: WalletEvent, replacing falseVersion: Int64?) throws {
        try connection.pipeline { pipeline in
            try pipeline.sendBegin()
            var statements = 4
            if let falseVersion {
                try sendForget(event.wallet.id, at: falseVersion, on: pipeline)
                statements += 1
            }
            try writer.sendWallets([event], as: "correct_wallets", on: pipeline)
            let (ids, versions) = (PostgresArray(of: .uuid), PostgresArray(of: .int8))
            ids.append(uuid: event.wallet.id.uuid.bits)
            versions.append(int8: event.wallet.version)
            parameters.removeAll()
            parameters.append(ids)
            parameters.append(versions)
            try pipeline.send("audited_wallets", parameters)
            try finish(statements, on: pipeline)
        }
    }

    /// Removes a wallet that is still as it was seen.
    func forget(_ wallet: WalletID, at version: Int64) throws {
        try connection.pipeline { pipeline in
            try pipeline.sendBegin()
            try sendForget(wallet, at: version, on: pipeline)
            try finish(3, on: pipeline)
        }
    }

    private func finish(_ statements: Int, on pipeline: PostgresPipeline) throws {
        try pipeline.sendCommit()
        try pipeline.sync()
        for _ in 0..<statements { try pipeline.next() }
    }

    private func sendForget(_ wallet: WalletID, at version: Int64, on pipeline: PostgresPipeline) throws {
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: version)
        try pipeline.send("forget_wallet", parameters)
    }

    private func sendForget(_ transfers: [SeenTransfer], of wallet: WalletID, on pipeline: PostgresPipeline) throws {
        let (ids, versions) = (PostgresArray(of: .uuid), PostgresArray(of: .int8))
        for transfer in transfers {
            ids.append(uuid: transfer.id.uuid.bits)
            versions.append(int8: transfer.version)
        }
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(ids)
        parameters.append(versions)
        try pipeline.send("forget_transfers", parameters)
    }
}
