using System.Text.Json;

namespace LlmTune.Data.Sources;

/// <summary>One row of a source and where it stands, or what is wrong with it.</summary>
/// <param name="Value">The row, an object; undefined where there is a problem.</param>
/// <param name="Number">Line on which it begins, from 1; in files without lines the number of the row.</param>
public sealed record Row(JsonElement Value, string File, long Number)
{
    /// <summary>Why it could not be read; null for a good row.</summary>
    public string? Problem { get; init; }

    /// <summary>Whether <see cref="Number"/> counts lines (else rows).</summary>
    public bool ByLine { get; init; } = true;

    /// <summary>Where it stands, for messages: <c>data/x.jsonl:17</c>.</summary>
    public string Place => ByLine ? $"{File}:{Number}" : $"{File}, row {Number}";

    public static Row Bad(string file, long number, string problem) => new(default(JsonElement), file, number) { Problem = problem };
}
