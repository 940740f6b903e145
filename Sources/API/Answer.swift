import HTTPServer
import JSON
import Ledger

/// An answer before it becomes an HTTP response.
struct Answer: Sendable {
    let status: Int
    var contentType = "application/json"
    let body: [UInt8]
    var headers = ResponseHeaders()
    /// What was refused or failed; for metrics and the log.
    var problem: Problem?
    /// Whether this repeats an earlier answer.
    var isReplay = false
    /// What became of the operations of a batch; for metrics and the log.
    var items: Items?

    /// What a batch's answer holds besides successes.
    struct Items: Sendable {
        /// How many operations ended in each problem.
        let problems: [ProblemCode: Int]
        /// The first that is the service's fault.
        let failure: Problem?
        /// How many repeat an earlier answer.
        let replays: Int
    }

    init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    /// A problem as its answer.
    init(_ problem: Problem, correlationID: String) {
        status = problem.code.status
        body = problem.body(correlationID: correlationID)
        contentType = "application/problem+json"
        self.problem = problem
        if let seconds = problem.retryAfter { headers.append("Retry-After", String(seconds)) }
        if let allow = problem.allow { headers.append("Allow", allow) }
        if case .currentVersion(let version) = problem.members { headers.appendTag(version) }
    }

    /// A wallet.
    static func wallet(_ wallet: Wallet, status: Int) -> Answer {
        var writer = JSONWriter(capacity: 768)
        writer.wallet(wallet)
        var answer = Answer(status: status, body: writer.finish())
        answer.headers.appendTag(wallet.version)
        if status == 201 { answer.headers.append("Location", "/v1/wallet/" + wallet.id.text) }
        return answer
    }

    /// A transfer with its wallet.
    static func transfer(_ receipt: Receipt, status: Int) -> Answer {
        var writer = JSONWriter(capacity: 1024)
        writer.transfer(receipt)
        var answer = Answer(status: status, body: writer.finish())
        answer.headers.reserve(Answer.usualHeaders)
        answer.headers.appendTag(receipt.wallet.version)
        if status == 201, let transfer = receipt.transfer { answer.headers.appendLocation(of: transfer) }
        return answer
    }

    /// The size of the header fields of most answers, in bytes.
    private static let usualHeaders = 384

    /// A page of a list of transfers.
    static func transfers(_ receipts: [Receipt], next: Cursor?) -> Answer {
        var writer = JSONWriter(capacity: 64 + receipts.count * 768)
        writer.beginObject()
        writer.array("items") { writer in
            for receipt in receipts { writer.transfer(receipt) }
        }
        writer.member("next_cursor", next?.text)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    /// A word about the process.
    static func status(_ word: String) -> Answer {
        var writer = JSONWriter(capacity: 64)
        writer.beginObject()
        writer.member("status", word)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }
}

extension ResponseHeaders {
    /// Appends the tag of a wallet's version.
    mutating func appendTag(_ version: Int64) {
        append("ETag", upTo: 2 + Money.textCapacity(scale: 0)) { buffer in
            buffer[0] = 0x22
            // A whole number without decimals, as a sum is written.
            let end = 1 + Money.write(Int128(version), scale: 0, to: UnsafeMutableBufferPointer(rebasing: buffer[1...]))
            buffer[end] = 0x22
            return end + 1
        }
    }

    fileprivate mutating func appendLocation(of transfer: Transfer) {
        let (root, list): (StaticString, StaticString) = ("/v1/wallet/", "/transfers/")
        append("Location", upTo: root.utf8CodeUnitCount + list.utf8CodeUnitCount + 72) { buffer in
            var end = 0
            func append(_ text: StaticString) {
                text.withUTF8Buffer { letters in
                    end += UnsafeMutableBufferPointer(rebasing: buffer[end...]).update(fromContentsOf: letters)
                }
            }
            append(root)
            transfer.walletID.uuid.write(to: UnsafeMutableBufferPointer(rebasing: buffer[end...]))
            end += 36
            append(list)
            transfer.id.uuid.write(to: UnsafeMutableBufferPointer(rebasing: buffer[end...]))
            return end + 36
        }
    }
}
