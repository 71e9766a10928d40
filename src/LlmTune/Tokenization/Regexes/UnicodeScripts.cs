namespace LlmTune.Tokenization;

/// <summary>Which script a character belongs to (Unicode 14).</summary>
internal static partial class UnicodeScripts
{
    private static readonly string[] NameList = Names.Split(' ');
    private static readonly (int[] Starts, int[] Ends, byte[] Scripts, bool[] Late) Table = Decode();

    /// <summary>The number of a script by its name, written with or without underscores in small letters; null where there is none.</summary>
    public static int? Find(string name)
    {
        var at = Array.FindIndex(NameList, n => n == name || n.Replace("_", "", StringComparison.Ordinal) == name);
        return at < 0 ? null : at;
    }

    public static string Name(int script) => NameList[script];

    /// <returns>−1 for a character that has none.</returns>
    public static int Of(int character) => RangeOf(character) is >= 0 and var at ? Table.Scripts[at] : -1;

    /// <summary>The same as of Unicode 9, which Hugging Face's pre-tokenizer knows.</summary>
    public static int OfUnicode9(int character) => character switch
    {
        0x589 or 0x61C => Common,
        0x953 or 0x954 => Devanagari,
        _ => RangeOf(character) is >= 0 and var at && !Table.Late[at] ? Table.Scripts[at] : -1,
    };

    private static int Common { get; } = Array.IndexOf(NameList, "common");

    private static int Devanagari { get; } = Array.IndexOf(NameList, "devanagari");

    private static int RangeOf(int character)
    {
        var at = Array.BinarySearch(Table.Starts, character);
        if (at < 0) at = ~at - 1;
        return at >= 0 && character < Table.Ends[at] ? at : -1;
    }

    private static (int[], int[], byte[], bool[]) Decode()
    {
        var bytes = Convert.FromBase64String(Ranges);
        var (starts, ends, scripts, late) = (new List<int>(), new List<int>(), new List<byte>(), new List<bool>());
        var (at, end) = (0, 0);
        while (at < bytes.Length)
        {
            starts.Add(end + Number());
            end = starts[^1] + Number();
            ends.Add(end);
            var script = Number();
            scripts.Add((byte)(script >> 1));
            late.Add((script & 1) == 1);
        }
        return ([.. starts], [.. ends], [.. scripts], [.. late]);

        int Number()
        {
            var (value, shift) = (0, 0);
            do
            {
                value |= (bytes[at] & 127) << shift;
                shift += 7;
            }
            while ((bytes[at++] & 128) != 0);
            return value;
        }
    }
}
