namespace LlmTune.Data;

public sealed record DataConfig
{
    public required IReadOnlyList<SourceConfig> Sources { get; init; }
    public EvalConfig? Eval { get; init; }
    public int MaxLength { get; init; } = 2048;
    public Truncation Truncation { get; init; } = Truncation.Drop;
    public Packing Packing { get; init; } = Packing.BestFit;
    public bool GroupByLength { get; init; } = true;
    public Mixing Mixing { get; init; } = Mixing.Once;
    public WeightUnit WeightUnit { get; init; } = WeightUnit.Examples;
    public bool TrainOnPrompt { get; init; }
    public bool MaskHistory { get; init; }
    public IReadOnlyList<string> RolesToTrain { get; init; } = ["assistant"];
    public OnError OnError { get; init; } = OnError.Fail;
    public bool Deduplicate { get; init; }
    public bool Shuffle { get; init; } = true;
    public bool Cache { get; init; } = true;
    public int? NumProc { get; init; }
}

public sealed record SourceConfig
{
    public string? Path { get; init; }
    public string? Name { get; init; }
    public string? Dir { get; init; }
    public string? Format { get; init; }
    public string? Split { get; init; }
    public IReadOnlyDictionary<string, string>? Columns { get; init; }
    public string? PromptTemplate { get; init; }
    public double Weight { get; init; } = 1;
    public int? Limit { get; init; }
    public int? MaxRepeats { get; init; }
    public string? Label { get; init; }
}

public sealed record EvalConfig
{
    public double? Fraction { get; init; }
    public int? Count { get; init; }
    public IReadOnlyList<SourceConfig>? Sources { get; init; }
}

public enum Truncation { Raise, Drop, Truncate }
public enum Packing { BestFit, None, Wrapped }
public enum Mixing { Once, FirstExhausted, AllExhausted }
public enum WeightUnit { Examples, Tokens }
public enum OnError { Fail, Skip }
