public import HTTPServer
public import Ledger
import LedgerStore
public import Observability
public import Runtime

/// What the routes need to know.
public struct APIConfiguration: Sendable {
    /// The assets that may be named.
    public var assets: AssetTable
    /// What a wallet holds when its creation names no asset.
    public var defaultAsset: Asset
    /// How long a read waits for the projection to reach the version it was asked for.
    public var projectionPatience: Duration

    /// Limits and assets; the times are those of the contract unless told otherwise.
    public init(
        assets: AssetTable, defaultAsset: Asset, projectionPatience: Duration = .seconds(2)
    ) {
        self.assets = assets
        self.defaultAsset = defaultAsset
        self.projectionPatience = projectionPatience
    }
}

/// Answers the public routes: `specification/openapi.yaml` is their contract.
public final class WalletAPI: Sendable {
    let service: WalletService
    let decoder: RequestDecoder
    let reader: FreshReader
    private let readiness: Readiness
    private let frame: RequestFrame

    /// Puts the routes on top of the ledger. `readiness` is what `/v1/ready` asks, in this order.
    public init(
        service: WalletService, configuration: APIConfiguration, readiness: [ReadinessCheck],
        metrics: MetricsRegistry, logger: Logger, clock: Clock = .system
    ) {
        let ids = UUIDv7Generator(clock: clock)
        let newID: @Sendable () -> RawUUID = { ids.next() }
        self.service = service
        self.readiness = Readiness(checks: readiness)
        decoder = RequestDecoder(
            assets: configuration.assets, defaultAsset: configuration.defaultAsset, newID: newID)
        reader = FreshReader(service: service, patience: configuration.projectionPatience, clock: clock)
        frame = RequestFrame(
            metrics: APIMetrics(metrics), logger: logger, clock: clock, newID: newID)
    }

    /// Answers one request; never throws.
    ///
    /// Operations are answered here and apart from everything else: a task that waits holds as much memory as the
    /// largest branch of each function it is in may need. What comes before and after the waiting is not inlined for
    /// the same reason.
    public func respond(to request: Request) async -> Response {
        let visit = frame.begin(request)
        guard visit.isOperation else { return await read(visit) }
        do {
            let operation = try self.operation(visit)
            return respond(visit, operation, try await service.submit(operation, visit.trace.origin))
        } catch {
            return frame.end(visit, error)
        }
    }

    /// Answers what the server refuses itself, in the form of all other problems: for
    /// `HTTPServerConfiguration.protocolError`.
    public func respond(to error: ProtocolError) -> Response {
        frame.respond(to: error)
    }

    private func read(_ visit: Visit) async -> Response {
        do {
            return frame.end(visit, try await answer(try visit.destination.get(), visit))
        } catch {
            return frame.end(visit, error)
        }
    }

    private func answer(_ destination: Destination, _ visit: Visit) async throws -> Answer {
        let (request, headers, trace) = (visit.request, visit.headers, visit.trace)
        switch destination.endpoint {
        case .batch: return try await batch(destination, request, headers, trace)
        case .wallet: return try await wallet(destination, request, headers)
        case .transfer: return try await transfer(destination, request, headers)
        case .transfers: return try await transfers(destination, request, headers)
        case .wallets, .transaction, .balance, .balanceAudit, .entries, .analytics, .world:
            return try await past(destination, request, headers)
        case .outbox, .outboxRetry, .drift, .rebuild, .rebuildAll, .rebuilds:
            return try await administration(destination, request, headers)
        case .health: return Answer.status("alive")
        case .ready: return try await readiness.answer()
        case .openWallet, .amend, .debit, .credit, .complete, .revert, .reverse, .extend, .adjust, .move:
            throw Problem(.internalError, "This route writes.")
        }
    }

    // MARK: - Writes

    @inline(never)
    private func operation(_ visit: Visit) throws -> Operation {
        let destination = try visit.destination.get().withoutParameters(visit.request)
        return try decoder.operation(destination, headers: visit.headers, body: visit.request.body)
    }

    @inline(never)
    private func respond(_ visit: Visit, _ operation: Operation, _ verdict: Decision.Verdict) -> Response {
        switch verdict {
        case .applied(let receipt):
            return frame.end(visit, success(receipt, operation))
        case .refused(let refusal, _):
            return frame.end(visit, Problem(refusal, of: operation.command))
        case .replayed(.applied(let receipt)):
            var answer = success(receipt, operation)
            answer.isReplay = true
            return frame.end(visit, answer)
        case .replayed(.refused(let refusal)):
            var answer = Answer(Problem(refusal, of: operation.command), correlationID: visit.trace.correlationID)
            answer.isReplay = true
            return frame.end(visit, answer)
        }
    }

    private func success(_ receipt: Receipt, _ operation: Operation) -> Answer {
        let status = operation.command.successStatus
        return receipt.transfer == nil ? .wallet(receipt.wallet, status: status) : .transfer(receipt, status: status)
    }

    // MARK: - Reads

    private func wallet(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let freshness = try freshness(destination, request, headers)
        let reading = try await reader.wallet(destination.walletID, freshness)
        return .wallet(reading.value, status: 200).from(reading.source)
    }

    private func transfer(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let freshness = try freshness(destination, request, headers)
        let reading = try await reader.transfer(destination.transferID, in: destination.walletID, freshness)
        return .transfer(reading.value, status: 200).from(reading.source)
    }

    private func transfers(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        var errors = destination.errors(with: headers)
        let query = QueryParameters(request.query, allowed: TransferListing.parameters, errors: &errors)
        let freshness = Freshness(query, headers, errors: &errors)
        let listing = try TransferListing(query, wallet: destination.walletID, errors: &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        let filter = listing.filter
        // One more than asked for tells whether another page follows.
        var asked = TransferQuery(limit: listing.limit + 1)
        asked.status = filter.status
        asked.direction = filter.direction
        asked.from = filter.from
        asked.to = filter.to
        asked.before = listing.before
        let reading = try await reader.transfers(in: destination.walletID, asked, freshness)
        let page = Array(reading.value.prefix(listing.limit))
        var next: Cursor?
        if reading.value.count > listing.limit, let last = page.last?.transfer {
            next = Cursor(wallet: destination.walletID, filter: filter, before: last.createdVersion)
        }
        return Answer.transfers(page, next: next).from(reading.source)
    }

    private func freshness(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) throws(Problem) -> Freshness {
        var errors = destination.errors(with: headers)
        let query = QueryParameters(request.query, allowed: Freshness.parameters, errors: &errors)
        let freshness = Freshness(query, headers, errors: &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        return freshness
    }
}

extension Answer {
    /// The answer with a word about where it was read.
    func from(_ source: ReadSource) -> Answer {
        var answer = self
        answer.headers.append("Wallet-Source", source.rawValue)
        return answer
    }
}

extension Destination {
    /// What is wrong with the ids of the path, and an error for each header field that came more than once although it
    /// may not.
    func errors(with headers: RequestHeaders) -> [FieldError] {
        errors + headers.repeated.map { FieldError($0, .duplicate, "The header \($0) appears twice.") }
    }

    /// For a route that knows no parameters: with an error for each that was sent.
    func withoutParameters(_ request: Request) -> Destination {
        var destination = self
        _ = QueryParameters(request.query, allowed: [], errors: &destination.errors)
        return destination
    }
}
