namespace LlmTune.Tokenization;

/// <summary>What stands as the content of a turn that calls tools and says nothing.</summary>
internal enum NoContent
{
    LeftOut,
    Null,
    Empty,
}

/// <summary>A form in which calls of tools reach a template.</summary>
/// <param name="Content">Of a turn without text.</param>
/// <param name="TextArguments">Whether arguments are JSON text rather than an object; null leaves them as the row has them.</param>
internal readonly record struct CallForm(NoContent Content, bool? TextArguments)
{
    /// <summary>As Transformers passes a row on: a key that is null is left out, the rest stays as it is.</summary>
    public static CallForm AsGiven { get; } = new(NoContent.LeftOut, null);

    /// <summary>In words, as the end of a sentence.</summary>
    /// <param name="given">The content of the turn as the row has it.</param>
    public string Describe(string? given)
    {
        var content = given switch
        {
            null => Content switch { NoContent.LeftOut => "no content", NoContent.Null => "null as content", _ => "an empty content" } + " where a turn has no text",
            "" when Content != NoContent.Empty => $"{(Content == NoContent.Null ? "null" : "nothing")} in place of an empty content",
            _ => null,
        };
        if (TextArguments is not { } text) return "as the rows have them";
        return $"with arguments as {(text ? "JSON text" : "objects")}{(content is null ? "" : $", {content}")}";
    }
}
