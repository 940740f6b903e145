import HTTPServer
import JSON
import Ledger
import LedgerStore
import Projections

/// What administrators ask of outbox and projections.
extension WalletAPI {
    private static let retryWords = JSONWords(["from", "to"])

    func administration(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders
    ) async throws -> Answer {
        var errors = destination.withoutParameters(request).errors(with: headers)
        let actor = RequestDecoder.actor(headers, isRequired: true, &errors)
        if destination.endpoint == .outboxRetry { return try await retryOutbox(request, headers, errors) }
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        switch destination.endpoint {
        case .outbox: return Answer.outbox(try await service.operators.outbox())
        case .drift: return Answer.drifts(try await service.operators.drifts())
        case .rebuilds: return Answer.rebuilds(try await service.operators.rebuilds())
        case .rebuildAll:
            let job = try await service.operators.rebuildAll(id: decoder.newID(), actor: actor ?? "")
            return Answer.rebuild(job, status: destination.endpoint.successStatus)
        default:
            guard let report = try await service.operators.rebuild(destination.walletID) else {
                throw Problem(.walletNotFound, "There is no wallet with this id.")
            }
            return Answer.rebuilt(report)
        }
    }

    /// Without a time: what failed is tried at once. With one: what was published then is sent again. `errors` are
    /// those of target and headers.
    private func retryOutbox(
        _ request: Request, _ headers: RequestHeaders, _ errors: [FieldError]
    ) async throws -> Answer {
        try RequestDecoder.checkType(of: request.body, headers)
        var from: Timestamp?
        var to: Timestamp?
        var reader = BodyReader(request.body, errors: errors)
        reader.document(mayBeEmpty: true) { (reader) throws(JSONError) in
            try reader.object(WalletAPI.retryWords) { (index, reader) throws(JSONError) in
                if index == 0 { from = try reader.moment("from") } else { to = try reader.moment("to") }
                return true
            }
        }
        if reader.isComplete, reader.errors.count == errors.count {
            if from != nil, to == nil { reader.refuse("to", .required, "The \"to\" is missing.") }
            if from == nil, to != nil { reader.refuse("from", .required, "The \"from\" is missing.") }
        }
        try reader.check()
        guard let from, let to else { return Answer.count("retried", try await service.operators.retryOutbox()) }
        return Answer.count("resent", try await service.operators.resendOutbox(from: from, to: to))
    }
}

extension Answer {
    fileprivate static func count(_ name: StaticString, _ count: Int) -> Answer {
        var writer = JSONWriter(capacity: 64)
        writer.beginObject()
        writer.member(name, count)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    fileprivate static func outbox(_ statistics: OutboxStatistics) -> Answer {
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("pending", statistics.pending)
        writer.member("pending_events", statistics.pendingEvents)
        writer.member("oldest_pending_seconds", statistics.oldestPendingSeconds)
        writer.member("attempts_max", statistics.attemptsMax)
        writer.member("failing", statistics.failing)
        writer.member("last_error", statistics.lastError)
        writer.member("published", statistics.published)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    fileprivate static func drifts(_ found: [FoundDrift]) -> Answer {
        var writer = JSONWriter(capacity: 64 + found.count * 256)
        writer.beginObject()
        writer.array("items") { writer in
            for item in found {
                writer.beginObject()
                writer.member("kind", item.drift.kind.rawValue)
                writer.member("wallet_id", item.drift.walletID.uuid)
                writer.member("version", item.drift.version)
                writer.member("problem", item.drift.problem)
                writer.member("first_seen_at", item.firstSeen)
                writer.member("last_seen_at", item.lastSeen)
                writer.endObject()
            }
        }
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    fileprivate static func rebuild(_ job: RebuildJob, status: Int) -> Answer {
        var writer = JSONWriter(capacity: 512)
        writer.job(job)
        return Answer(status: status, body: writer.finish())
    }

    fileprivate static func rebuilds(_ jobs: [RebuildJob]) -> Answer {
        var writer = JSONWriter(capacity: 64 + jobs.count * 512)
        writer.beginObject()
        writer.array("items") { writer in
            for job in jobs { writer.job(job) }
        }
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    fileprivate static func rebuilt(_ report: RebuildReport) -> Answer {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.member("entries", report.projection.entries)
        writer.member("strays", report.projection.strays)
        writer.member("totals_entries", report.totals?.entries ?? 0)
        writer.array("discrepancies") { writer in
            for discrepancy in report.projection.discrepancies + (report.totals?.discrepancies ?? []) {
                writer.beginObject()
                writer.member("version", discrepancy.version)
                writer.member("problem", discrepancy.problem)
                writer.endObject()
            }
        }
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }
}

extension JSONWriter {
    fileprivate mutating func job(_ job: RebuildJob) {
        beginObject()
        member("id", job.id)
        member("state", job.state.rawValue)
        member("requested_by", job.requestedBy)
        member("requested_at", job.requestedAt)
        member("started_at", job.startedAt)
        member("finished_at", job.finishedAt)
        member("wallets_done", job.walletsDone)
        name("wallets_total")
        if let total = job.walletsTotal { integer(total) } else { null() }
        member("entries", job.entries)
        member("strays", job.strays)
        member("discrepancies", job.discrepancies)
        member("problem", job.problem)
        endObject()
    }
}
