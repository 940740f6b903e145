import JSON
import Ledger

extension Command {
    /// The status of its success.
    var successStatus: Int {
        switch self {
        case .open, .transfer, .reverse: 201
        case .complete, .revert, .expire, .extend, .amend: 200
        }
    }
}

extension Answer {
    /// The results of a batch in the order of its operations. `outcomes` are those of `batch.operations`.
    static func results(
        of batch: BatchRequest, _ outcomes: [BatchSide.Outcome], correlationID: String
    ) -> Answer {
        var results = BatchResults(count: batch.count, correlationID: correlationID)
        var decided = zip(batch.operations, outcomes).makeIterator()
        var malformed = batch.malformed.makeIterator()
        var nextMalformed = malformed.next()
        for index in 0..<batch.count {
            if let item = nextMalformed, item.index == index {
                results.add(index, item.problem, isReplay: false)
                nextMalformed = malformed.next()
            } else if let (operation, outcome) = decided.next() {
                results.add(index, outcome, of: operation)
            }
        }
        return results.answer()
    }
}

/// The body of a batch's answer while it is being written.
private struct BatchResults {
    private let correlationID: String
    private var writer: JSONWriter
    private var problems: [ProblemCode: Int] = [:]
    private var failure: Problem?
    private var replays = 0

    init(count: Int, correlationID: String) {
        self.correlationID = correlationID
        writer = JSONWriter(capacity: 64 + count * 1024)
        writer.beginObject()
        writer.name("results")
        writer.beginArray()
    }

    mutating func add(_ index: Int, _ outcome: BatchSide.Outcome, of operation: Operation) {
        switch outcome {
        case .success(.applied(let receipt)), .success(.replayed(.applied(let receipt))):
            begin(index, status: operation.command.successStatus)
            if receipt.transfer == nil {
                writer.name("wallet")
                writer.wallet(receipt.wallet)
            } else {
                writer.name("transfer")
                writer.transfer(receipt)
            }
            end(isReplay: outcome.isReplay)
        case .success(.refused(let refusal, _)), .success(.replayed(.refused(let refusal))):
            add(index, Problem(refusal, of: operation.command), isReplay: outcome.isReplay)
        case .failure(let failure):
            add(index, Problem(failure), isReplay: false)
        }
    }

    mutating func add(_ index: Int, _ problem: Problem, isReplay: Bool) {
        problems[problem.code, default: 0] += 1
        if problem.code.status >= 500, failure == nil { failure = problem }
        begin(index, status: problem.code.status)
        writer.name("problem")
        problem.write(to: &writer, correlationID: correlationID)
        end(isReplay: isReplay)
    }

    private mutating func begin(_ index: Int, status: Int) {
        writer.beginObject()
        writer.member("index", index)
        writer.member("status", status)
    }

    private mutating func end(isReplay: Bool) {
        if isReplay {
            writer.member("replayed", true)
            replays += 1
        }
        writer.endObject()
    }

    consuming func answer() -> Answer {
        writer.endArray()
        writer.endObject()
        var answer = Answer(status: 200, body: writer.finish())
        answer.items = Answer.Items(problems: problems, failure: failure, replays: replays)
        return answer
    }
}

extension BatchSide.Outcome {
    fileprivate var isReplay: Bool {
        if case .success(.replayed) = self { return true }
        return false
    }
}
