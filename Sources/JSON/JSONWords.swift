/// Words known beforehand: the member names of an object, or the values of a closed list. They are found by their
/// bytes, without making strings, and as one index each.
public struct JSONWords: Sendable {
    /// The index of what is none of the words.
    public static let unknown = -1

    private struct Place {
        let offset: Int
        let length: Int
        let first: UInt8
    }

    /// The words, each with a quote behind it.
    private let storage: [UInt8]
    private let places: [Place]

    /// Takes at most 64 different words, none of them empty, of characters that JSON writes as they are.
    public init(_ words: [String]) {
        precondition(words.count <= 64 && Set(words).count == words.count, "at most 64 different words")
        var storage: [UInt8] = []
        var places: [Place] = []
        for word in words {
            precondition(
                !word.isEmpty && word.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C },
                "\(word) is not written as it is")
            places.append(Place(offset: storage.count, length: word.utf8.count, first: word.utf8.first ?? 0))
            storage += Array(word.utf8) + [UInt8(ascii: "\"")]
        }
        self.storage = storage
        self.places = places
    }

    /// The index of the word with these bytes.
    public func index(of utf8: UnsafeBufferPointer<UInt8>) -> Int {
        guard let first = utf8.first else { return JSONWords.unknown }
        let wanted = UnsafeRawBufferPointer(utf8)
        return storage.withUnsafeBytes { storage in
            for index in 0..<places.count where places[index].first == first && places[index].length == utf8.count {
                let place = places[index]
                let word = UnsafeRawBufferPointer(rebasing: storage[place.offset..<place.offset + place.length])
                if JSONWords.areEqual(word, wanted) { return index }
            }
            return JSONWords.unknown
        }
    }

    /// The index of the word that starts at `position` and has a quote behind it; the search begins at `expected`.
    func quotedWord(at position: Int, of bytes: [UInt8], expecting expected: Int) -> Int {
        guard position < bytes.count else { return JSONWords.unknown }
        let first = bytes[position]
        return storage.withUnsafeBytes { storage in
            bytes.withUnsafeBytes { bytes in
                var index = expected < places.count ? expected : 0
                for _ in 0..<places.count {
                    let place = places[index]
                    let length = place.length + 1
                    if place.first == first, bytes.count - position >= length {
                        let word = UnsafeRawBufferPointer(rebasing: storage[place.offset..<place.offset + length])
                        let found = UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
                        if JSONWords.areEqual(word, found) { return index }
                    }
                    index = index + 1 < places.count ? index + 1 : 0
                }
                return JSONWords.unknown
            }
        }
    }

    /// The length of a word.
    func length(_ index: Int) -> Int { places[index].length }

    /// Compares two texts of the same length.
    @inline(__always)
    static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let count = left.count
        guard count >= 8 else {
            for index in 0..<count where left[index] != right[index] { return false }
            return true
        }
        func differ(at offset: Int) -> Bool {
            left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                != right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        for offset in stride(from: 0, to: count - 8, by: 8) where differ(at: offset) { return false }
        // The last eight bytes, some of them for the second time.
        return !differ(at: count - 8)
    }
}
