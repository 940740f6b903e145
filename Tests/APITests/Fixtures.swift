import Ledger
import LedgerStore
import Observability
import Projections
import Runtime
import Synchronization

@testable import API

let walletID = WalletID(RawUUID(bits: 0x0199_0000_0000_7000_8000_0000_0000_0001))
let transferID = TransferID(RawUUID(bits: 0x0199_0000_0000_7000_8000_0000_0000_0002))
let moment = Timestamp(microseconds: 1_795_255_200_000_000)

struct MissingFixture: Error {}

func asset(_ code: String = "EUR") throws -> Asset {
    guard let asset = AssetTable()[code] else { throw MissingFixture() }
    return asset
}

func makeWallet(version: Int64 = 3, balance: Int128 = 12_345, metadata: String? = nil) throws -> Wallet {
    Wallet(
        id: walletID, ownerID: "owner \"1\"", asset: try asset(), balance: balance, pendingDebit: 100,
        pendingCredit: 45, overdraftLimit: 0, version: version, status: .active, metadata: metadata,
        createdAt: moment, updatedAt: moment)
}

func makeReceipt(version: Int64 = 3, createdVersion: Int64 = 2) throws -> Receipt {
    let transfer = Transfer(
        id: transferID, walletID: walletID, direction: .credit, amount: 1050, status: .completed, reason: nil,
        completedAmount: 1000, referenceID: "order-1", description: "tea", note: nil, counterparty: nil,
        expiresAt: nil, metadata: #"{"a":1}"#, createdVersion: createdVersion, createdAt: moment, version: version,
        resolvedAt: moment)
    return Receipt(wallet: try makeWallet(version: version), transfer: transfer)
}

func makeDecoder() throws -> RequestDecoder {
    let ids = UUIDv7Generator()
    guard let points = Asset(code: "POINTS", scale: 0) else { throw MissingFixture() }
    return RequestDecoder(
        assets: AssetTable(configured: [points]), defaultAsset: try asset(), newID: { ids.next() })
}

/// Decodes a body sent to a route; JSON content type unless `headers` say otherwise.
func decode(
    _ body: String, to endpoint: Route = .debit,
    headers: [(name: String, value: String)] = [("Content-Type", "application/json")]
) throws -> Operation {
    let destination = Destination(endpoint: endpoint, walletID: walletID, transferID: transferID)
    return try makeDecoder().operation(destination, headers: RequestHeaders(headers), body: Array(body.utf8))
}

/// The problem that decoding ends in; nil when it succeeds.
func problem(
    _ body: String, to endpoint: Route = .debit,
    headers: [(name: String, value: String)] = [("Content-Type", "application/json")]
) throws -> Problem? {
    do {
        _ = try decode(body, to: endpoint, headers: headers)
        return nil
    } catch let problem as Problem {
        return problem
    }
}

/// Lines of a log, kept for looking at them.
final class LogLines: Sendable {
    private let state = Mutex<[String]>([])

    var all: [String] { state.withLock { $0 } }

    func logger(level: Logger.Level) -> Logger {
        Logger(
            level: level, format: .json,
            sink: LogSink { line in self.state.withLock { $0.append(String(decoding: line, as: UTF8.self)) } })
    }
}

/// Knows of nothing.
struct EmptyPast: PastReading {
    func statement(of wallet: WalletID, _ query: StatementQuery) async throws -> WalletStatement? { nil }
    func wallet(_ id: WalletID, at moment: Timestamp) async throws -> PastWallet? { nil }
    func wallet(_ id: WalletID, version: Int64) async throws -> PastWallet? { nil }
    func wallets(owner: String, after: WalletID?, limit: Int) async throws -> [Wallet] { [] }
    func audit(_ id: WalletID) async throws -> BalanceAudit? { nil }
    func wallets(ofTransfer id: TransferID) async throws -> [WalletID] { [] }
    func sinceLastEvent() async throws -> Duration? { nil }
    func transfers(_ id: TransferID, in wallets: [WalletID]) async throws -> [TransferDetails] { [] }
    func totals(of wallet: WalletID, _ query: TotalsQuery) async throws -> WalletTotals? { nil }
    func outsideAccounts() async throws -> [OutsideAccount] { [] }
}

/// Has nothing to do.
struct IdleOperators: OperatorWork {
    func outbox() async throws -> OutboxStatistics { throw MissingFixture() }
    func retryOutbox() async throws -> Int { 3 }
    func resendOutbox(from: Timestamp, to: Timestamp) async throws -> Int { 5 }
    func drifts() async throws -> [FoundDrift] { [] }
    func rebuild(_ wallet: WalletID) async throws -> RebuildReport? { nil }
    func rebuildAll(id: RawUUID, actor: String) async throws -> RebuildJob { throw MissingFixture() }
    func rebuilds() async throws -> [RebuildJob] { [] }
}
