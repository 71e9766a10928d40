using LlmTune.Config;
using LlmTune.Data;

namespace LlmTune.Recipes;

/// <summary>How the rows of a file are read: their format, which column plays which part, and how a prompt is put together; null: found from the rows.</summary>
internal sealed record RowShape(string? Format, ValueDictionary? Columns, string? PromptTemplate)
{
    /// <summary>Found from the rows.</summary>
    public static readonly RowShape Detected = new(null, null, null);

    public static RowShape Of(SourceConfig source) => new(source.Format, source.Columns, source.PromptTemplate);

    /// <summary>
    /// As a run reads this very file; else as it reads files of this ending, or all of its files, where it reads those alike.
    /// </summary>
    /// <exception cref="RequestException">The run reads its files in several ways, and which is meant cannot be told.</exception>
    public static RowShape For(string file, DataConfig data)
    {
        var sources = data.Sources.Concat(data.Eval?.Sources ?? []).Where(source => source.Path is not null).ToList();
        var same = sources.FindAll(source => Path.GetFullPath(source.Path!) == Path.GetFullPath(file));
        var alike = sources.FindAll(source => Path.GetExtension(source.Path) == Path.GetExtension(file));
        foreach (var candidates in new[] { same, alike, sources })
        {
            var shapes = candidates.Select(Of).Distinct().ToList();
            if (shapes.Count == 1) return shapes[0];
        }
        if (sources.Count == 0) return Detected;
        throw new RequestException(
            $"{file}: the run reads its files in several ways ({string.Join("; ", sources.Select(Of).Distinct())}); say --columns, --prompt-template or --format");
    }

    public override string ToString()
    {
        string?[] parts = [Format is null ? null : $"format {Format}", Columns is null ? null : $"columns {Columns}", PromptTemplate is null ? null : $"prompt_template \"{PromptTemplate.Replace("\n", "\\n", StringComparison.Ordinal)}\""];
        return parts.All(part => part is null) ? "as found from the rows" : string.Join(", ", parts.OfType<string>());
    }
}
