import HTTPServer
import Ledger
import LedgerStore
import Projections

/// What wallets were and did.
extension WalletAPI {
    func past(_ destination: Destination, _ request: Request, _ headers: RequestHeaders) async throws -> Answer {
        switch destination.endpoint {
        case .wallets: try await wallets(destination, request, headers)
        case .balance: try await balance(destination, request, headers)
        case .entries: try await entries(destination, request, headers)
        case .balanceAudit: try await audit(destination, request, headers)
        case .analytics: try await analytics(destination, request, headers)
        case .transaction: try await transaction(destination, request, headers)
        default: try await world(destination, request, headers)
        }
    }

    private func wallets(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        var errors = destination.errors(with: headers)
        let query = QueryParameters(request.query, allowed: ["owner_id", "cursor", "limit"], errors: &errors)
        var list = PageCursor(.wallets)
        list.owner = query["owner_id"] ?? ""
        let length = list.owner.unicodeScalars.count
        if query["owner_id"] == nil, query["cursor"] == nil {
            errors.append(FieldError("owner_id", .required, "The owner_id is missing."))
        } else if query["owner_id"] != nil, length == 0 {
            errors.append(FieldError("owner_id", .tooShort, "\"owner_id\" must not be empty."))
        } else if length > 255 {
            errors.append(FieldError("owner_id", .tooLong, "\"owner_id\" has more than 255 characters."))
        } else if list.owner.unicodeScalars.contains(where: BodyReader.isControl) {
            errors.append(FieldError("owner_id", .malformed, "\"owner_id\" must not hold control characters."))
        }
        let page = try PageRequest(query, list, isFiltered: query["owner_id"] != nil, errors: &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        let after = page.isContinued ? WalletID(RawUUID(bits: page.list.last)) : nil
        let found = try await service.past.wallets(owner: page.list.owner, after: after, limit: page.limit + 1)
        let items = Array(found.prefix(page.limit))
        let next = found.count > page.limit ? items.last.map { page.list.at($0.id.uuid.bits) } : nil
        return Answer.wallets(items, next: next).from(.ledger)
    }

    private func balance(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let id = destination.walletID
        var errors = destination.errors(with: headers)
        let query = QueryParameters(request.query, allowed: ["at", "version"] + Freshness.parameters, errors: &errors)
        let freshness = Freshness(query, headers, errors: &errors)
        let moment = query.moment("at", &errors)
        let version = query["version"].flatMap { text in
            let version = HeaderValue.version(text[...])
            if version == nil || version == 0 {
                errors.append(FieldError("version", .malformed, "A version is a whole number from 1 on."))
            }
            return version
        }
        if query["at"] != nil, query["version"] != nil {
            errors.append(FieldError("version", .conflict, "Only one of at and version may be given."))
        }
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        let past: PastWallet?
        if let moment {
            past = try await service.past.wallet(id, at: moment)
        } else if let version {
            past = try await service.past.wallet(id, version: version)
        } else {
            let reading = try await reader.wallet(id, freshness)
            return Answer.balance(of: reading.value).from(reading.source)
        }
        guard let past else { throw WalletAPI.noWallet }
        guard let then = past.then else {
            throw Problem(
                .balanceNotFound,
                version == nil ? "The wallet did not exist yet." : "The wallet has not come to this version.")
        }
        return Answer.balance(of: then).from(.ledger)
    }

    private func entries(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let id = destination.walletID
        var errors = destination.errors(with: headers)
        let filters = ["from", "to", "order"]
        let query = QueryParameters(request.query, allowed: filters + ["cursor", "limit"], errors: &errors)
        var list = PageCursor(.entries)
        list.wallet = id
        list.from = query.moment("from", &errors)
        list.to = query.moment("to", &errors)
        switch query["order"] {
        case nil, "newest_first": break
        case "oldest_first": list.oldestFirst = true
        default:
            errors.append(
                FieldError("order", .outOfRange, "The order is \"newest_first\" or \"oldest_first\"."))
        }
        let page = try PageRequest(
            query, list, isFiltered: filters.contains { query[$0] != nil }, errors: &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        var asked = StatementQuery(limit: page.limit + 1)
        asked.from = page.list.from
        asked.to = page.list.to
        asked.oldestFirst = page.list.oldestFirst
        if page.isContinued {
            let last = Int64(clamping: page.list.last)
            if asked.oldestFirst { asked.after = last } else { asked.before = last }
        }
        guard let statement = try await service.past.statement(of: id, asked) else { throw WalletAPI.noWallet }
        let items = Array(statement.lines.prefix(page.limit))
        let isMore = statement.lines.count > page.limit
        let next = isMore ? items.last.map { page.list.at(UInt128(UInt64(clamping: $0.entry.version))) } : nil
        return Answer.entries(items, of: statement.wallet.asset, next: next).from(.ledger)
    }

    private func audit(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let errors = destination.withoutParameters(request).errors(with: headers)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        guard let audit = try await service.past.audit(destination.walletID) else { throw WalletAPI.noWallet }
        return Answer.audit(audit).from(.ledger)
    }

    private func analytics(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let id = destination.walletID
        var errors = destination.errors(with: headers)
        let filters = ["granularity", "from", "to"]
        let query = QueryParameters(request.query, allowed: filters + ["cursor", "limit"], errors: &errors)
        let period = query["granularity"].map { TotalsPeriod(rawValue: $0) } ?? .day
        if period == nil {
            errors.append(FieldError("granularity", .outOfRange, "The granularity is \"day\" or \"month\"."))
        }
        var list = PageCursor(period == .month ? .months : .days)
        // A cursor tells the granularity, too.
        if query["granularity"] == nil, let cursor = query["cursor"].flatMap({ PageCursor(text: $0) }),
            cursor.list == .months
        {
            list = PageCursor(.months)
        }
        list.wallet = id
        list.from = query.moment("from", &errors)
        list.to = query.moment("to", &errors)
        let page = try PageRequest(
            query, list, isFiltered: query["from"] != nil || query["to"] != nil, errors: &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        var asked = TotalsQuery(period: page.list.list == .months ? .month : .day, limit: page.limit + 1)
        asked.from = page.list.from
        asked.to = page.list.to
        if page.isContinued {
            asked.before = Timestamp(microseconds: Int64(truncatingIfNeeded: page.list.last))
        }
        let wallet = try await reader.wallet(id, Freshness())
        let totals = try await service.past.totals(of: id, asked)
        let found = totals?.periods ?? []
        let items = Array(found.prefix(page.limit))
        let next =
            found.count > page.limit
            ? items.last.map { page.list.at(UInt128(UInt64(bitPattern: $0.begin.microseconds))) } : nil
        return Answer.totals(items, asked.period, of: wallet.value, version: totals?.version ?? 0, next: next)
            .from(.projection)
    }

    private func transaction(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        let id = destination.transferID
        var errors = destination.errors(with: headers)
        let query = QueryParameters(request.query, allowed: ["wallet_id"], errors: &errors)
        let named = query["wallet_id"].flatMap { WalletID(text: $0) }
        if query["wallet_id"] != nil, named == nil {
            errors.append(FieldError("wallet_id", .malformed, "\"wallet_id\" is not a UUID."))
        }
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        // Only the projection knows transfers by their ids alone, and it may be behind.
        let wallets: [WalletID] = if let named { [named] } else { try await reader.wallets(ofTransfer: id) }
        let found = try await service.past.transfers(id, in: wallets)
        guard found.count < 2 else {
            throw Problem(.transferAmbiguous, "Several wallets have transfers with this id; name one by wallet_id.")
        }
        guard let details = found.first, let asset = details.sides.first?.receipt.wallet.asset else {
            throw Problem(.transferNotFound, "There is no transfer with this id.")
        }
        return Answer.transaction(details, of: asset).from(.ledger)
    }

    private func world(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        var errors = destination.withoutParameters(request).errors(with: headers)
        _ = RequestDecoder.actor(headers, isRequired: true, &errors)
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        return Answer.world(try await service.past.outsideAccounts()).from(.projection)
    }

    private static var noWallet: Problem { Problem(.walletNotFound, "There is no wallet with this id.") }
}
