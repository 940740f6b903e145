/// What a wallet holds: a code and the number of decimals between its unit and its minor unit.
public struct Asset: Hashable, Sendable {
    /// Upper-case code, for example `EUR`.
    public let code: String
    /// Decimals: `EUR` 2, `JPY` 0, `ETH` 18.
    public let scale: Int

    /// The largest scale an asset may have.
    public static let largestScale = 30

    /// Takes a code of 1 to 16 characters out of A-Z, 0-9, `_`, `-`, `.` and a scale of 0 to 30; nil otherwise.
    public init?(code: String, scale: Int) {
        guard (1...16).contains(code.utf8.count), (0...Asset.largestScale).contains(scale) else { return nil }
        for byte in code.utf8 {
            switch byte {
            case 0x41...0x5A, 0x30...0x39, 0x5F, 0x2D, 0x2E: continue
            default: return nil
            }
        }
        self.code = code
        self.scale = scale
    }
}

/// The assets a process knows: ISO 4217 and the configured ones.
public struct AssetTable: Sendable {
    private var scales: [String: Asset]

    /// ISO 4217 and `configured`, which win over ISO 4217 codes of the same name.
    public init(configured: [Asset] = []) {
        var scales: [String: Asset] = [:]
        for entry in AssetTable.currencies.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            guard let digit = entry.last?.wholeNumberValue,
                let asset = Asset(code: String(entry.dropLast()), scale: digit)
            else { continue }
            scales[asset.code] = asset
        }
        for asset in configured { scales[asset.code] = asset }
        self.scales = scales
    }

    /// The asset with this code; nil when it is unknown.
    public subscript(code: String) -> Asset? { scales[code] }

    /// Every known asset, by code.
    public var all: [Asset] { scales.values.sorted { $0.code < $1.code } }

    /// ISO 4217 active codes, each followed by its number of decimals (list one of the standard's maintenance agency).
    private static let currencies = """
        AED2 AFN2 ALL2 AMD2 ANG2 AOA2 ARS2 AUD2 AWG2 AZN2 BAM2 BBD2 BDT2 BGN2 BHD3 BIF0 BMD2 BND2 BOB2 BOV2 BRL2 BSD2
        BTN2 BWP2 BYN2 BZD2 CAD2 CDF2 CHE2 CHF2 CHW2 CLF4 CLP0 CNY2 COP2 COU2 CRC2 CUP2 CVE2 CZK2 DJF0 DKK2 DOP2 DZD2
        EGP2 ERN2 ETB2 EUR2 FJD2 FKP2 GBP2 GEL2 GHS2 GIP2 GMD2 GNF0 GTQ2 GYD2 HKD2 HNL2 HTG2 HUF2 IDR2 ILS2 INR2 IQD3
        IRR2 ISK0 JMD2 JOD3 JPY0 KES2 KGS2 KHR2 KMF0 KPW2 KRW0 KWD3 KYD2 KZT2 LAK2 LBP2 LKR2 LRD2 LSL2 LYD3 MAD2 MDL2
        MGA2 MKD2 MMK2 MNT2 MOP2 MRU2 MUR2 MVR2 MWK2 MXN2 MXV2 MYR2 MZN2 NAD2 NGN2 NIO2 NOK2 NPR2 NZD2 OMR3 PAB2 PEN2
        PGK2 PHP2 PKR2 PLN2 PYG0 QAR2 RON2 RSD2 RUB2 RWF0 SAR2 SBD2 SCR2 SDG2 SEK2 SGD2 SHP2 SLE2 SOS2 SRD2 SSP2 STN2
        SVC2 SYP2 SZL2 THB2 TJS2 TMT2 TND3 TOP2 TRY2 TTD2 TWD2 TZS2 UAH2 UGX0 USD2 USN2 UYI0 UYU2 UYW4 UZS2 VED2 VES2
        VND0 VUV0 WST2 XAF0 XCD2 XCG2 XOF0 XPF0 YER2 ZAR2 ZMW2 ZWG2
        """
}
