/// Hides what must not be shown: passwords inside URLs and connection texts.
public enum Masking {
    /// What stands where a secret stood.
    public static let mask = "***"

    /// The text with the password of every `scheme://user:password@host` and of every `password=...` replaced by `***`.
    /// Cheap for texts that contain neither.
    public static func masked(_ text: String) -> String {
        var result = text
        if result.contains("://") { result = maskedURLs(result) }
        guard result.utf8.contains(0x3D) else { return result }
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
            let end = endOfURL(bytes, from: index)
            output += maskedBody(bytes[index..<end])
            index = end
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Where the URL ends: at white space, a quote, or the comma before the next URL of a list.
    private static func endOfURL(_ bytes: [UInt8], from start: Int) -> Int {
        let end = bytes[start...].firstIndex { $0 <= 0x20 || $0 == 0x22 || $0 == 0x27 } ?? bytes.count
        let next = (start..<end).first { bytes[$0..<end].starts(with: "://".utf8) }
        guard let next, let comma = bytes[start..<next].lastIndex(of: 0x2C) else { return end }
        return bytes[(comma + 1)..<next].allSatisfy { (0x61...0x7A).contains(lowercased($0)) } ? comma : end
    }

    /// Hides everything that may belong to a password before the last @. Servers may be a list with commas, and a
    /// password may hold any sign that somebody forgot to escape: rather too much is hidden than too little.
    private static func maskedBody(_ body: ArraySlice<UInt8>) -> [UInt8] {
        guard let lastAt = body.lastIndex(of: 0x40) else { return Array(body) }
        var output: [UInt8] = []
        for part in body[...lastAt].split(separator: 0x2C, omittingEmptySubsequences: false) {
            if !output.isEmpty { output.append(0x2C) }
            let colon = part.firstIndex(of: 0x3A)
            let at = part.lastIndex(of: 0x40)
            // Without a colon, a user name may be a token.
            if let colon, colon < at ?? part.endIndex { output += part[...colon] }
            output += mask.utf8
            if let at { output += part[at...] }
        }
        return output + body[(lastAt + 1)...]
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
