public import HTTPServer
import Ledger
import LedgerStore

extension WalletAPI {
    /// The largest body of a batch, in bytes.
    private static let largestBatch = 4 * 1024 * 1024
    /// The largest body of any other request, in bytes.
    private static let largestBody = 64 * 1024

    /// The largest body that a route takes: for `HTTPServerConfiguration.bodyLimit`.
    public static func bodyLimit(_ method: HTTPMethod, _ path: String) -> Int {
        method == .post && path == "/v1/batches" ? largestBatch : largestBody
    }

    /// Does a batch: each operation for itself, or all or none.
    func batch(
        _ destination: Destination, _ request: Request, _ headers: RequestHeaders, _ trace: Trace
    ) async throws -> Answer {
        let batch = try decoder.batch(
            destination.withoutParameters(request), headers: headers, body: request.body)
        return batch.isAtomic ? try await together(batch, trace) : try await separately(batch, trace)
    }

    private func identity(of batch: BatchRequest) -> BatchIdentity? {
        batch.key.map { BatchIdentity(key: $0, contentHash: batch.contentHash) }
    }

    private func separately(_ batch: BatchRequest, _ trace: Trace) async throws -> Answer {
        if let identity = identity(of: batch), !batch.operations.isEmpty {
            // Only claims the key: the operations have keys of their own, by which each of them is repeated.
            if case .keyReused = try await service.batches.all([], identity, trace.origin) {
                throw WalletAPI.reusedKey
            }
        }
        let outcomes = try await service.batches.each(batch.operations, trace.origin)
        var answer = Answer.results(of: batch, outcomes, correlationID: trace.correlationID)
        answer.isReplay = answer.items?.replays == batch.count
        return answer
    }

    private func together(_ batch: BatchRequest, _ trace: Trace) async throws -> Answer {
        if let first = batch.malformed.first {
            var problem = first.problem
            problem.index = first.index
            throw problem
        }
        switch try await service.batches.all(batch.operations, identity(of: batch), trace.origin) {
        case .applied(let verdicts, let isReplay):
            var answer = Answer.results(of: batch, verdicts.map { .success($0) }, correlationID: trace.correlationID)
            answer.isReplay = isReplay
            return answer
        case .refused(let index, let refusal, let isReplay):
            var problem = Problem(refusal, of: batch.operations[index].command)
            problem.index = index
            var answer = Answer(problem, correlationID: trace.correlationID)
            answer.isReplay = isReplay
            return answer
        case .keyReused:
            throw WalletAPI.reusedKey
        }
    }

    private static var reusedKey: Problem {
        Problem(.idempotencyKeyReused, "The idempotency key was used for a batch with other content.")
    }
}
