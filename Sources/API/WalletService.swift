import Events
import Ledger
public import LedgerStore
public import Projections

/// One side from which wallets and transfers are read: the ledger or the projection.
struct ReadSide: Sendable {
    /// The wallet; nil when there is none.
    let wallet: @Sendable (WalletID) async throws(Problem) -> Wallet?
    /// The transfer; nil when the wallet has none with this id.
    let transfer: @Sendable (TransferID, WalletID) async throws(Problem) -> Receipt?
    /// The transfers, newest first; none for an unknown wallet.
    let transfers: @Sendable (WalletID, TransferQuery) async throws(Problem) -> [Receipt]
}

extension ReadSide {
    init(_ reader: LedgerReader) {
        self.init(
            wallet: { (id) async throws(Problem) in
                do throws(LedgerStoreError) { return try await reader.wallet(id) } catch { throw Problem(error) }
            },
            transfer: { (id, wallet) async throws(Problem) in
                do throws(LedgerStoreError) { return try await reader.transfer(id, in: wallet) } catch {
                    throw Problem(error)
                }
            },
            transfers: { (wallet, query) async throws(Problem) in
                do throws(LedgerStoreError) { return try await reader.transfers(in: wallet, query) } catch {
                    throw Problem(error)
                }
            })
    }

    init(_ reader: ProjectionReader) {
        self.init(
            wallet: { (id) async throws(Problem) in
                do throws(LedgerStoreError) { return try await reader.wallet(id) } catch { throw Problem(error) }
            },
            transfer: { (id, wallet) async throws(Problem) in
                do throws(LedgerStoreError) { return try await reader.transfer(id, in: wallet) } catch {
                    throw Problem(error)
                }
            },
            transfers: { (wallet, query) async throws(Problem) in
                do throws(LedgerStoreError) { return try await reader.transfers(in: wallet, query) } catch {
                    throw Problem(error)
                }
            })
    }
}

/// What the routes stand on: the one way to write and the two ways to read.
public struct WalletService: Sendable {
    let submit: @Sendable (Operation, EventOrigin) async throws(Problem) -> Decision.Verdict
    let ledger: ReadSide
    let projection: ReadSide

    /// Puts the write path and both readers together.
    public init(writer: LedgerWriter, ledger: LedgerReader, projection: ProjectionReader) {
        self.init(
            submit: { (operation, origin) async throws(Problem) in
                do throws(LedgerStoreError) { return try await writer.submit(operation, origin: origin) } catch {
                    throw Problem(error)
                }
            },
            ledger: ReadSide(ledger), projection: ReadSide(projection))
    }

    init(
        submit: @escaping @Sendable (Operation, EventOrigin) async throws(Problem) -> Decision.Verdict,
        ledger: ReadSide, projection: ReadSide
    ) {
        self.submit = submit
        self.ledger = ledger
        self.projection = projection
    }
}
