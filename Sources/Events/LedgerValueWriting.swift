public import JSON
public import Ledger

// The ledger's values as events and answers write them.
extension JSONWriter {
    /// Writes a member holding a sum as a decimal string with all of its `scale` decimals.
    public mutating func money(_ name: StaticString, _ minorUnits: Int128, scale: Int) {
        self.name(name)
        string(upTo: Money.textCapacity(scale: scale)) { Money.write(minorUnits, scale: scale, to: $0) }
    }

    /// Writes a member holding an id.
    public mutating func member(_ name: StaticString, _ id: RawUUID) {
        self.name(name)
        string(upTo: 36) { buffer in
            id.write(to: buffer)
            return 36
        }
    }

    /// Writes a member holding a moment.
    public mutating func member(_ name: StaticString, _ moment: Timestamp) {
        self.name(name)
        string(upTo: Timestamp.textLength) { buffer in
            moment.write(to: buffer)
            return Timestamp.textLength
        }
    }
}
