import Events
import Ledger
public import LedgerStore
public import Projections

/// One side from which wallets and transfers are read: the ledger or the projection.
struct ReadSide: Sendable {
    let walletByID: @Sendable (WalletID) async -> Result<Wallet?, Problem>
    let transferByID: @Sendable (TransferID, WalletID) async -> Result<Receipt?, Problem>
    let transfersByQuery: @Sendable (WalletID, TransferQuery) async -> Result<[Receipt], Problem>

    /// The wallet; nil when there is none.
    func wallet(_ id: WalletID) async throws -> Wallet? {
        try await walletByID(id).get()
    }

    /// The transfer; nil when the wallet has none with this id.
    func transfer(_ id: TransferID, _ wallet: WalletID) async throws -> Receipt? {
        try await transferByID(id, wallet).get()
    }

    /// The transfers, newest first; none for an unknown wallet.
    func transfers(_ wallet: WalletID, _ query: TransferQuery) async throws -> [Receipt] {
        try await transfersByQuery(wallet, query).get()
    }
}

extension ReadSide {
    init(_ reader: LedgerReader) {
        self.init(
            walletByID: { id in
                do throws(LedgerStoreError) {
                    return .success(try await reader.wallet(id))
                } catch { return .failure(Problem(error)) }
            },
            transferByID: { id, wallet in
                do throws(LedgerStoreError) {
                    return .success(try await reader.transfer(id, in: wallet))
                } catch { return .failure(Problem(error)) }
            },
            transfersByQuery: { wallet, query in
                do throws(LedgerStoreError) {
                    return .success(try await reader.transfers(in: wallet, query))
                } catch { return .failure(Problem(error)) }
            })
    }

    init(_ reader: ProjectionReader) {
        self.init(
            walletByID: { id in
                do throws(LedgerStoreError) {
                    return .success(try await reader.wallet(id))
                } catch { return .failure(Problem(error)) }
            },
            transferByID: { id, wallet in
                do throws(LedgerStoreError) {
                    return .success(try await reader.transfer(id, in: wallet))
                } catch { return .failure(Problem(error)) }
            },
            transfersByQuery: { wallet, query in
                do throws(LedgerStoreError) {
                    return .success(try await reader.transfers(in: wallet, query))
                } catch { return .failure(Problem(error)) }
            })
    }
}

/// What the routes stand on: the one way to write and the two ways to read.
public struct WalletService: Sendable {
    let submit: @Sendable (Operation, EventOrigin) async -> Result<Decision.Verdict, Problem>
    let ledger: ReadSide
    let projection: ReadSide

    /// Puts the write path and both readers together.
    public init(writer: LedgerWriter, ledger: LedgerReader, projection: ProjectionReader) {
        self.init(
            submit: { operation, origin in
                do throws(LedgerStoreError) {
                    return .success(try await writer.submit(operation, origin: origin))
                } catch { return .failure(Problem(error)) }
            },
            ledger: ReadSide(ledger), projection: ReadSide(projection))
    }

    init(
        submit: @escaping @Sendable (Operation, EventOrigin) async -> Result<Decision.Verdict, Problem>,
        ledger: ReadSide, projection: ReadSide
    ) {
        self.submit = submit
        self.ledger = ledger
        self.projection = projection
    }
}
