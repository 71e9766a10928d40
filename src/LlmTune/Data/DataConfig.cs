using LlmTune.Config;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>What is trained on, and how it is cut into rows.</summary>
public sealed record DataConfig
{
    [Key("sources"), Doc("files to train on, mixed by their weights")]
    public required ValueList<SourceConfig> Sources { get; init => field = Require.Some(value); }

    [Key("eval"), Doc("what is held out: { fraction: 0.02 }, { count: 200 } or { sources: […] }", Example = "{ fraction: 0.02 }")]
    public EvalConfig? Eval { get; init; }

    [Key("max_length"), Doc("most tokens in a row; limited by the model's own too")]
    public int MaxLength { get; init => field = Require.AtLeast(2, value); } = 2048;

    [Key("truncation"), Doc("what becomes of longer examples, which are always counted")]
    public TruncationMode Truncation { get; init; } = TruncationMode.Drop;

    [Key("packing"), Doc("fill rows with whole examples that do not see each other; wrapped cuts one stream")]
    public PackingMode Packing { get; init; } = PackingMode.BestFit;

    [Key("group_by_length"), Doc("without packing: steps of like lengths, in random order")]
    public bool GroupByLength { get; init; } = true;

    [Key("mixing"), Doc("when an epoch ends: each row once, or a source is exhausted")]
    public MixingMode Mixing { get; init; } = MixingMode.Once;

    [Key("weight_unit"), Doc("what the weights of sources are shares of")]
    public WeightUnit WeightUnit { get; init; } = WeightUnit.Examples;

    [Key("train_on_prompt"), Doc("train on the user's turns and prompts too")]
    public bool TrainOnPrompt { get; init; }

    [Key("mask_history"), Doc("train on the last answer of a conversation only")]
    public bool MaskHistory { get; init; }

    [Key("roles_to_train"), Doc("whose turns are trained on")]
    public ValueList<string> RolesToTrain { get; init => field = [.. Require.Some(value).Select(role => RoleNames.Find(role) ?? role)]; } = ["assistant"];

    [Key("chat_template_kwargs"), Doc("more such variables, which count before the model's; those of a row count before both")]
    public ValueTree ChatTemplateKwargs { get; init => field = TemplateVariables.Checked(value); } = ValueTree.Empty;

    [Key("on_error"), Doc("what a row that does not fit does to the run")]
    public OnError OnError { get; init; } = OnError.Fail;

    [Key("deduplicate"), Doc("leave out rows that say what an earlier one says")]
    public bool Deduplicate { get; init; }

    [Key("shuffle"), Doc("a new order each epoch, from training.data_seed")]
    public bool Shuffle { get; init; } = true;

    [Key("cache"), Doc("keep tokenized data from run to run, by content")]
    public bool Cache { get; init; } = true;

    [Key("num_proc"), Doc("threads that prepare data", Default = "all cores", Example = "4")]
    public int? NumProc { get; init => field = Require.AtLeast(1, value); }
}

/// <summary>One file, folder or glob of rows.</summary>
public sealed record SourceConfig : ISettingRules
{
    [Key("path"), Path(MaybeHub = true)]
    [Doc("a file, a folder, a pattern (data/*.jsonl), a data set in the local Hugging Face cache, or \"-\" for standard input")]
    public string? Path { get; init; }

    [Key("format"), Doc("what the rows are", Default = "found from the rows", Example = "messages")]
    public string? Format { get; init; }

    [Key("columns"), Doc("which column plays which part", Default = "by the format", Example = "{ prompt: question, completion: answer }")]
    public ValueDictionary? Columns { get; init; }

    [Key("roles"), Doc("what its turns call the roles, beside the usual names", Default = "the usual names", Example = "{ Customer: user, Agent: assistant }")]
    public ValueDictionary? Roles { get; init; }

    [Key("weight"), Doc("share among the sources, unless mixing is once")]
    public double Weight { get; init => field = Require.Positive(value); } = 1;

    [Key("limit"), Doc("take at most so many rows", Default = "all", Example = "1000")]
    public int? Limit { get; init => field = Require.AtLeast(1, value); }

    [Key("label"), Doc("its name in reports", Default = "the file's name", Example = "domain")]
    public string? Label { get; init; }

    [Key("split"), Doc("of a folder the files of this name: train, test …; or some of its rows: train[:10%]", Default = "all files", Example = "train")]
    public string? Split { get; init; }

    [Key("prompt_template"), Doc("the prompt from several columns", Default = "the prompt's column", Example = "\"{schema}\\n\\n{question}\"")]
    public string? PromptTemplate { get; init; }

    [Key("max_repeats"), Doc("most passes over it in an epoch of mixing: all_exhausted", Default = "no limit", Example = "4")]
    public int? MaxRepeats { get; init => field = Require.AtLeast(1, value); }

    [Key("name"), Doc("in place of path: an entry of LLaMA-Factory's dataset_info.json", Default = "none", Example = "alpaca_en_demo")]
    public string? Name { get; init; }

    [Key("dir"), Path, Doc("the folder of that dataset_info.json", Default = "none", Example = "data")]
    public string? Dir { get; init; }

    public IEnumerable<(string Setting, string Problem)> Broken()
    {
        if (Path is null && Name is null) yield return ("path", "is missing: a file, a folder, a pattern (data/*.jsonl), or \"-\" for standard input");
        if (Path is not null && Name is not null) yield return ("name", "cannot stand beside path; keep one of them");
        else if (Name is not null && Dir is null) yield return ("dir", "is missing: the folder of the dataset_info.json that names it");
        if (Name is null && Dir is not null) yield return ("dir", "needs a name beside it");
        if (Roles?.FirstOrDefault(pair => !RoleNames.Meanings.Contains(pair.Value)) is { Key: { } other, Value: var role })
            yield return ("roles", $"makes '{other}' the role {role}, which templates do not know; there are {Suggest.Either(RoleNames.Meanings)}");
    }
}

/// <summary>What is held out for evaluation: one of the three.</summary>
public sealed record EvalConfig : ISettingRules
{
    [Key("fraction"), Doc("this share of the rows, chosen by their hash", Example = "0.02")]
    public double? Fraction { get; init => field = Require.That(value is null or (> 0 and < 1), "more than 0 and less than 1", value); }

    [Key("count"), Doc("so many rows, chosen by their hash", Example = "200")]
    public int? Count { get; init => field = Require.AtLeast(1, value); }

    [Key("sources"), Doc("files of their own", Example = "[{ path: data/eval.jsonl }]")]
    public ValueList<SourceConfig>? Sources { get; init => field = value is null ? null : Require.Some(value); }

    public IEnumerable<(string Setting, string Problem)> Broken()
    {
        List<string> given = [];
        if (Fraction is not null) given.Add("fraction");
        if (Count is not null) given.Add("count");
        if (Sources is not null) given.Add("sources");
        if (given.Count == 0) yield return ("", "needs one of fraction, count or sources");
        if (given.Count > 1) yield return (given[^1], $"cannot stand beside {given[0]}; keep one of them");
    }
}

/// <summary>What becomes of an example that is longer than a row.</summary>
public enum TruncationMode
{
    [Key("raise")] Raise,
    [Key("drop")] Drop,
    [Key("truncate")] Truncate,
}

/// <summary>How examples share rows.</summary>
public enum PackingMode
{
    /// <summary>Whole examples, best fit; attention stays inside each.</summary>
    [Key("true")] BestFit,

    /// <summary>One example a row.</summary>
    [Key("false")] None,

    /// <summary>One stream of tokens, cut where a row is full.</summary>
    [Key("wrapped")] Wrapped,
}

/// <summary>When an epoch over several sources is over.</summary>
public enum MixingMode
{
    [Key("once")] Once,
    [Key("first_exhausted")] FirstExhausted,
    [Key("all_exhausted")] AllExhausted,
}

/// <summary>What a source's weight is a share of.</summary>
public enum WeightUnit
{
    [Key("examples")] Examples,
    [Key("tokens")] Tokens,
}

/// <summary>What a row that does not fit its format does to the run.</summary>
public enum OnError
{
    [Key("fail")] Fail,
    [Key("skip")] Skip,
}
