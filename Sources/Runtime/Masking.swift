/// Hides what must not be shown: passwords inside URLs and connection texts.
public enum Masking {
    /// What stands where a secret stood.
    public static let mask = "***"

    /// The text with the password of every `scheme://user:password@host` and of every `password=...` replaced by `***`.
    /// Cheap for texts that contain neither.
    public static func masked(_ text: String) -> String {
        var result = text
        if result.contains("://") { result = maskedURLs(result) }
        let bytes = Array(result.utf8)
        guard keyPositions(bytes).isEmpty == false else { return result }
        return maskedPairs(bytes)
    }

    private static func maskedURLs(_ text: String) -> String {
        var output: [UInt8] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            guard bytes[index...].starts(with: "://".utf8) else {
                output.append(bytes[index])
                index += 1
                continue
            }
            output += "://".utf8
            index += 3
            let end = bytes[index...].firstIndex { endsAuthority($0) } ?? bytes.count
            // The last @: a password with an unescaped @ must not leak its tail. A list has one authority per comma.
            for (position, part) in bytes[index..<end].split(separator: 0x2C, omittingEmptySubsequences: false)
                .enumerated()
            {
                if position > 0 { output.append(0x2C) }
                output += maskedAuthority(part)
            }
            index = end
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func maskedAuthority(_ part: ArraySlice<UInt8>) -> [UInt8] {
        guard let at = part.lastIndex(of: 0x40) else { return Array(part) }
        let user = part[..<at]
        guard let colon = user.firstIndex(of: 0x3A) else {
            // A user name alone may be a token.
            return Array(mask.utf8) + part[at...]
        }
        return part[...colon] + Array(mask.utf8) + part[at...]
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x2F, 0x3F, 0x23, 0x22, 0x27, 0x00...0x20: true
        default: false
        }
    }

    private static let keys = ["password=", "passwd=", "token=", "secret="].map { Array($0.utf8) }

    /// The positions just behind each `password=` and the like, in any case.
    private static func keyPositions(_ bytes: [UInt8]) -> [Int] {
        bytes.indices.compactMap { index in
            guard bytes[index] == 0x3D else { return nil }
            let isKey = keys.contains { key in
                guard index + 1 >= key.count else { return false }
                return zip(bytes[(index + 1 - key.count)...index], key).allSatisfy { lowercased($0) == $1 }
            }
            return isKey ? index + 1 : nil
        }
    }

    private static func maskedPairs(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        var copied = 0
        for start in keyPositions(bytes) where start >= copied {
            output += bytes[copied..<start]
            output += mask.utf8
            copied = endOfValue(bytes, from: start)
        }
        return String(decoding: output + bytes[copied...], as: UTF8.self)
    }

    private static func endOfValue(_ bytes: [UInt8], from start: Int) -> Int {
        guard start < bytes.count else { return start }
        if bytes[start] == 0x27 || bytes[start] == 0x22 {
            return bytes[(start + 1)...].firstIndex(of: bytes[start]).map { $0 + 1 } ?? bytes.count
        }
        return bytes[start...].firstIndex { $0 <= 0x20 || $0 == 0x26 || $0 == 0x22 || $0 == 0x27 } ?? bytes.count
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}
