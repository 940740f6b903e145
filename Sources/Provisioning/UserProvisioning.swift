import Events
public import Ledger
public import LedgerStore
import Requests
import Runtime

/// Gives users their wallets through the ledger's write path: exactly one for each user and asset, however often and
/// by however many it is asked.
public struct UserProvisioning: Sendable {
    /// What became of one user.
    public struct Outcome: Hashable, Sendable {
        /// How many wallets were opened now; the others were there before.
        public var opened = 0
        /// Why wallets are missing; nil when all are there.
        public var failure: Failure?
    }

    /// Why a user has not got a wallet.
    public enum Failure: Hashable, Sendable, CustomStringConvertible {
        /// The ledger cannot be used now, which says nothing about the user.
        case unavailable(String)
        /// It failed, maybe because of the user.
        case failed(String)
        /// It will never be possible.
        case impossible(String)

        /// The reason.
        public var description: String {
            switch self {
            case .unavailable(let reason), .failed(let reason), .impossible(let reason): reason
            }
        }
    }

    /// Who the ledger is told to be asking.
    private static let actor = "provisioning"

    private let assets: [Asset]
    private let newID: @Sendable () -> RawUUID
    private let submit: @Sendable (Operation, EventOrigin) async throws -> Decision.Verdict

    /// Opens wallets of these assets through `writer`, which has to run.
    public init(assets: [Asset], writer: LedgerWriter) {
        self.init(assets: assets) { try await writer.submit($0, origin: $1) }
    }

    init(
        assets: [Asset], submit: @escaping @Sendable (Operation, EventOrigin) async throws -> Decision.Verdict
    ) {
        let ids = UUIDv7Generator()
        self.assets = assets
        newID = { ids.next() }
        self.submit = submit
    }

    /// Sees to it that the user has a wallet of each asset. A failure leaves those that were opened, which a repeat
    /// finds.
    public func provision(_ user: UserEvent) async -> Outcome {
        var outcome = Outcome()
        for asset in assets {
            do {
                switch try await submit(operation(user.userID, asset), user.origin) {
                case .applied: outcome.opened += 1
                case .replayed(.applied): break
                case .refused(let refusal, _), .replayed(.refused(let refusal)):
                    outcome.failure = .impossible("the ledger refuses a wallet of \(asset.code): \(refusal)")
                }
            } catch LedgerStoreError.inconsistent(let message) {
                outcome.failure = .failed("the database refuses a wallet of \(asset.code): \(message)")
            } catch {
                outcome.failure = .unavailable("\(error)")
            }
            if outcome.failure != nil { break }
        }
        return outcome
    }

    private func operation(_ userID: String, _ asset: Asset) -> Operation {
        OpeningRequest(
            ownerID: userID, asset: asset, writtenAsset: asset.code, key: Self.key(userID: userID, asset: asset)
        ).operation(newID: newID, actor: Self.actor)
    }

    /// The key that makes the wallet of a user and an asset the only one. Keys that open wallets are global, so it
    /// has parts that no client can write: control characters, which requests refuse. They also keep the parts apart.
    static func key(userID: String, asset: Asset) -> IdempotencyKey {
        IdempotencyKey(reference: "user\u{1F}\(userID)\u{1F}\(asset.code)")
    }
}

extension UserProvisioning {
    /// Uses the event of a dead letter again. Returns why that is not possible; nil when its users have their wallets.
    public func apply(_ payload: [UInt8]) async -> String? {
        for element in UserEventReading.elements(of: payload) {
            switch element.user {
            case .failure(let flaw): return flaw.description
            case .success(let user):
                if let failure = await provision(user).failure { return failure.description }
            }
        }
        return nil
    }
}
