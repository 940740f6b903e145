/// A moment as microseconds since 1970-01-01T00:00:00Z, leap seconds not counted (as in PostgreSQL).
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Microseconds since 1970 UTC.
    public let microseconds: Int64

    /// Wraps microseconds since 1970 UTC.
    @inlinable
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The earliest moment that has a four digit year: 0001-01-01T00:00:00Z.
    public static let earliest = Timestamp(microseconds: -62_135_596_800_000_000)
    /// The last moment that has a four digit year: 9999-12-31T23:59:59.999999Z.
    public static let latest = Timestamp(microseconds: 253_402_300_799_999_999)

    /// Earlier is less.
    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    /// This moment and `seconds` more; nil when that leaves the years 1 to 9999.
    public func adding(seconds: Int64) -> Timestamp? {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return nil }
        let (sum, carried) = microseconds.addingReportingOverflow(product)
        let result = Timestamp(microseconds: sum)
        guard !carried, result >= .earliest, result <= .latest else { return nil }
        return result
    }

    /// The number of characters in `text`.
    public static let textLength = 27

    /// RFC 3339 in UTC with six decimals, for example `2026-11-21T10:00:00.000000Z`.
    public var text: String {
        String(unsafeUninitializedCapacity: Timestamp.textLength) { buffer in
            write(to: buffer)
            return Timestamp.textLength
        }
    }

    /// The same as `text`.
    public var description: String { text }

    /// Appends `text` as ASCII.
    public func append(to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Timestamp.textLength) { buffer in
            write(to: buffer)
            bytes.append(contentsOf: UnsafeBufferPointer(buffer))
        }
    }

    /// Writes `text` as ASCII to the start of `buffer`, which has room for it.
    public func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        precondition(buffer.count >= Timestamp.textLength, "a moment has \(Timestamp.textLength) characters")
        let days = microseconds.flooredQuotient(by: 86_400_000_000)
        let signed = microseconds % 86_400_000_000
        let rest = UInt64(signed < 0 ? signed + 86_400_000_000 : signed)
        let (year, month, day) = Timestamp.civil(fromDays: days)
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: 1_000_000)
        func pair(_ value: UInt64, at offset: Int) {
            buffer[offset] = UInt8(truncatingIfNeeded: 0x30 &+ value / 10 % 10)
            buffer[offset + 1] = UInt8(truncatingIfNeeded: 0x30 &+ value % 10)
        }
        let yearBits = UInt64(bitPattern: year)
        pair(yearBits / 100, at: 0)
        pair(yearBits, at: 2)
        buffer[4] = 0x2D
        pair(UInt64(bitPattern: month), at: 5)
        buffer[7] = 0x2D
        pair(UInt64(bitPattern: day), at: 8)
        buffer[10] = 0x54
        pair(seconds / 3600, at: 11)
        buffer[13] = 0x3A
        pair(seconds / 60 % 60, at: 14)
        buffer[16] = 0x3A
        pair(seconds % 60, at: 17)
        buffer[19] = 0x2E
        pair(fraction / 10_000, at: 20)
        pair(fraction / 100, at: 22)
        pair(fraction, at: 24)
        buffer[26] = 0x5A
    }

    /// Reads an RFC 3339 date-time with any offset and at most six decimals; nil for anything else.
    public init?(text: String) {
        var text = text
        guard let moment = text.withUTF8({ Timestamp(utf8: $0) }) else { return nil }
        self = moment
    }

    /// Reads an RFC 3339 date-time from UTF-8 bytes, as `init(text:)` does.
    public init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        var reader = Reader(bytes: bytes)
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), reader.skip("T") || reader.skip("t"), let hour = reader.number(2),
            reader.skip(":"), let minute = reader.number(2), reader.skip(":"), let second = reader.number(2),
            let fraction = reader.fraction(), let offset = reader.offset(), reader.atEnd,
            (1...12).contains(month), day >= 1, day <= Timestamp.days(in: month, year: year),
            year >= 1, hour < 24, minute < 60, second < 60
        else { return nil }
        let days = Timestamp.days(fromYear: year, month: month, day: day)
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
        let moment = Timestamp(microseconds: seconds * 1_000_000 + fraction)
        guard moment >= .earliest, moment <= .latest else { return nil }
        self = moment
    }

    /// Days since 1970 to year, month, day: Howard Hinnant, "chrono-compatible low-level date algorithms".
    private static func civil(fromDays days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The inverse of `civil(fromDays:)`, from the same source.
    private static func days(fromYear year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.flooredQuotient(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func days(in month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Reads the pieces of a date-time one after the other.
    private struct Reader {
        let bytes: UnsafeBufferPointer<UInt8>
        var position = 0

        var atEnd: Bool { position == bytes.count }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard position < bytes.count, UInt32(bytes[position]) == character.value else { return false }
            position += 1
            return true
        }

        mutating func digit() -> Int64? {
            guard position < bytes.count, bytes[position] &- 0x30 <= 9 else { return nil }
            position += 1
            return Int64(bytes[position - 1] &- 0x30)
        }

        mutating func number(_ digits: Int) -> Int64? {
            guard bytes.count - position >= digits else { return nil }
            var value: Int64 = 0
            for index in position..<position + digits {
                let digit = bytes[index] &- 0x30
                guard digit <= 9 else { return nil }
                value = value &* 10 &+ Int64(digit)
            }
            position += digits
            return value
        }

        /// Microseconds of the optional fraction.
        mutating func fraction() -> Int64? {
            guard skip(".") else { return 0 }
            guard var value = digit() else { return nil }
            var digits = 1
            while let next = digit() {
                value = value * 10 + next
                digits += 1
                if digits > 6 { return nil }
            }
            for _ in digits..<6 { value *= 10 }
            return value
        }

        /// Minutes east of UTC.
        mutating func offset() -> Int64? {
            if skip("Z") || skip("z") { return 0 }
            let east = skip("+")
            guard east || skip("-"), let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60
            else { return nil }
            return (east ? 1 : -1) * (hours * 60 + minutes)
        }
    }
}

extension Int64 {
    /// Division that rounds towards negative infinity; the divisor is positive.
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
