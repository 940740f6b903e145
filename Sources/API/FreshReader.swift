import Ledger
import LedgerStore
import Runtime

/// The words of `Wallet-Source`.
enum ReadSource: String, Sendable {
    case projection
    case ledger
}

/// What was read and from which side.
struct Reading<Value: Sendable>: Sendable {
    let value: Value
    let source: ReadSource
}

/// Reads with the freshness a client asks for.
///
/// The projection answers unless it lacks what is asked for: then the ledger is asked before anything is called
/// missing, so that what was acknowledged is always found.
struct FreshReader: Sendable {
    let service: WalletService
    /// How long to wait for the projection to reach a version.
    let patience: Duration
    let clock: Clock

    private static let shortestPause = Duration.milliseconds(2)
    private static let longestPause = Duration.milliseconds(100)

    /// The wallet. Throws 404 when there is none.
    func wallet(_ id: WalletID, _ freshness: Freshness) async throws -> Reading<Wallet> {
        if let version = freshness.minVersion, !freshness.isStrong {
            if let wallet = try await projection(of: id, reaching: version) {
                return Reading(value: wallet, source: .projection)
            }
        } else if !freshness.isStrong, let wallet = try await service.projection.wallet(id) {
            return Reading(value: wallet, source: .projection)
        }
        return Reading(value: try await ledgerWallet(id), source: .ledger)
    }

    /// The transfer. Throws 404 when there is no such wallet or transfer.
    func transfer(
        _ id: TransferID, in wallet: WalletID, _ freshness: Freshness
    ) async throws -> Reading<Receipt> {
        if mayProject(freshness) {
            if let receipt = try await service.projection.transfer(id, wallet) {
                return Reading(value: receipt, source: .projection)
            }
        }
        if let receipt = try await service.ledger.transfer(id, wallet) {
            return Reading(value: receipt, source: .ledger)
        }
        _ = try await ledgerWallet(wallet)
        throw Problem(.transferNotFound, "The wallet has no transfer with this id.")
    }

    /// The transfers of a page, newest first. Throws 404 when there is no such wallet.
    func transfers(
        in wallet: WalletID, _ query: TransferQuery, _ freshness: Freshness
    ) async throws -> Reading<[Receipt]> {
        if mayProject(freshness) {
            let receipts = try await service.projection.transfers(wallet, query)
            if !receipts.isEmpty { return Reading(value: receipts, source: .projection) }
            if try await service.projection.wallet(wallet) != nil { return Reading(value: [], source: .projection) }
        }
        let receipts = try await service.ledger.transfers(wallet, query)
        if receipts.isEmpty { _ = try await ledgerWallet(wallet) }
        return Reading(value: receipts, source: .ledger)
    }

    /// The wallets that have a transfer with this id; none when there are none. Nobody but the projection knows, so it
    /// is given time to learn of what was acknowledged a moment ago: each event has had as long as a reader's patience
    /// since it left. When nothing left for that long, nothing is waited for.
    func wallets(ofTransfer id: TransferID) async throws -> [WalletID] {
        let look = {
            let wallets = try await service.past.wallets(ofTransfer: id)
            return wallets.isEmpty ? nil : wallets
        }
        if let wallets = try await look() { return wallets }
        guard let since = try await service.past.sinceLastEvent(), since < patience else {
            return try await look() ?? []
        }
        return try await waitForProjection(atMost: patience - since, look) ?? []
    }

    private func ledgerWallet(_ id: WalletID) async throws -> Wallet {
        if let wallet = try await service.ledger.wallet(id) { return wallet }
        throw Problem(.walletNotFound, "There is no wallet with this id.")
    }

    /// Whether the projection may answer about transfers. Events may be applied with gaps, so a wallet that has reached
    /// a version says nothing about the transfers up to it: whoever names a version is answered by the ledger.
    private func mayProject(_ freshness: Freshness) -> Bool {
        !freshness.isStrong && freshness.minVersion == nil
    }

    /// The wallet's projection once it has reached `version`; nil when it did not in time.
    private func projection(of id: WalletID, reaching version: Int64) async throws -> Wallet? {
        try await waitForProjection(atMost: patience) {
            let wallet = try await service.projection.wallet(id)
            return wallet.flatMap { $0.version >= version ? $0 : nil }
        }
    }

    /// What `look` finds, asked again with growing pauses; nil when it found nothing in time.
    private func waitForProjection<Found: Sendable>(
        atMost time: Duration, _ look: () async throws -> Found?
    ) async throws -> Found? {
        let deadline = clock.monotonicNanoseconds() &+ UInt64(max(0, time.wholeNanoseconds))
        var pause = FreshReader.shortestPause
        while true {
            if let found = try await look() { return found }
            let now = clock.monotonicNanoseconds()
            guard now < deadline else { return nil }
            let left = Duration.nanoseconds(Int64(clamping: deadline - now))
            do { try await Task.sleep(for: min(pause, left)) } catch { return nil }
            pause = min(pause * 2, FreshReader.longestPause)
        }
    }
}
