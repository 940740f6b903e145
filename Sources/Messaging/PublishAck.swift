import CNATS
import JSON

/// JetStream's answer to a published message.
enum PublishAck {
    /// Reads `{"stream":"S","seq":7,"duplicate":true}` or `{"error":{"code":503,"err_code":10077,...}}`.
    /// Anything else is an unknown outcome.
    static func parse(_ bytes: [UInt8]) -> PublishResult {
        guard let answer = try? JSONValue(parsing: bytes) else { return .unknown }
        if let error = answer["error"] {
            let code = error["err_code"]?.int64 ?? error["code"]?.int64 ?? 0
            let text = error["description"]?.string ?? "no description"
            return .rejected(PublishRejection(code: Int(code), description: text))
        }
        guard let text = answer["seq"]?.numberText, let sequence = UInt64(text), sequence > 0 else { return .unknown }
        return .stored(sequence: sequence, duplicate: answer["duplicate"]?.boolean ?? false)
    }

    static func parse(_ message: OpaquePointer) -> PublishResult {
        if natsMsg_IsNoResponders(message) { return .rejected(.noResponders) }
        return parse(messageBytes(message))
    }

    /// The batch and the index at the end of a reply subject, `<inbox>.<batch>.<index>`.
    static func position(subject: UnsafePointer<CChar>, after inboxLength: Int) -> (batch: UInt64, index: Int)? {
        var numbers: [UInt64] = []
        var current: UInt64?
        var cursor = subject + inboxLength
        guard cursor.pointee == CChar(bitPattern: UInt8(ascii: ".")) else { return nil }
        repeat {
            cursor += 1
            let byte = UInt8(bitPattern: cursor.pointee)
            if (0x30...0x39).contains(byte) {
                let (scaled, overflow) = (current ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, overflowOfSum) = scaled.addingReportingOverflow(UInt64(byte - 0x30))
                guard !overflow, !overflowOfSum else { return nil }
                current = sum
            } else {
                guard byte == 0x2E || byte == 0, let number = current, numbers.count < 2 else { return nil }
                numbers.append(number)
                current = nil
            }
        } while cursor.pointee != 0
        guard numbers.count == 2, numbers[1] <= UInt64(Int32.max) else { return nil }
        return (numbers[0], Int(numbers[1]))
    }
}
