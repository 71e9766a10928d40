using LlmTune.Generation;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Tokenization;
using LlmTune.Training;
using Serilog;

namespace LlmTune.Recipes.Quickstart;

/// <summary>What a quickstart is asked for.</summary>
/// <param name="Folder">Where everything goes; an earlier quickstart's is replaced.</param>
/// <param name="Seed">Of data, weights and order.</param>
/// <param name="Fast">Too little of everything to learn well, in some seconds.</param>
public sealed record QuickstartRequest(string Folder, int Seed, bool Fast);

/// <summary>A question with what was expected and what the models said.</summary>
public sealed record QuickstartSample(string Prompt, string Expected, string Before, string After);

/// <summary>
/// The whole story on data made up by the program itself: a tokenizer, a tiny model pretrained on general text, a LoRA adapter that
/// teaches it to answer questions about tables in SQL, the merged model, and how much better it got. The steps are called in order.
/// </summary>
public sealed class QuickstartStory
{
    internal const int MaxNewTokens = 40;

    /// <summary>The marks of ChatML, for which a template is built in; the second one ends answers and texts.</summary>
    internal static readonly string[] SpecialTokens = ["<|im_start|>", "<|im_end|>"];

    private readonly QuickstartRequest _request;
    private readonly QuickstartSize _size;
    private readonly MadeUpData _data;
    private readonly ILogger _log;
    private readonly CancellationToken _cancel;

    /// <exception cref="RequestException">The folder holds something that no quickstart has made.</exception>
    public QuickstartStory(QuickstartRequest request, ILogger log, CancellationToken cancel = default)
    {
        (_request, _log, _cancel) = (request, log, cancel);
        _size = request.Fast ? QuickstartSize.Fast : QuickstartSize.Full;
        Folder = QuickstartFolder.Begin(request.Folder, request.Seed, request.Fast);
        _data = MadeUpData.Draw(request.Seed, _size);
        Commands = new QuickstartCommands(Folder, _size, _data.HeldOut[0].Prompt);
    }

    public QuickstartFolder Folder { get; }

    public QuickstartCommands Commands { get; }

    /// <summary>1. Writes the data, the run files and the commands.</summary>
    /// <param name="program">What a shell runs for <c>llmtune</c>.</param>
    public QuickstartData WriteData(string program)
    {
        _data.Write(Folder.Data);
        QuickstartRuns.Write(Folder, _request.Seed, _size);
        AtomicFile.WriteText(Folder.Commands, Commands.Script(program));
        var example = _data.Train[0];
        return new QuickstartData(
            _data.Texts.Count, _data.Chats.Count, _data.Train.Count, _data.HeldOut.Count, _data.Texts[0], example.Prompt, example.Sql);
    }

    /// <summary>2. A byte-level BPE vocabulary from the general text.</summary>
    public TrainedTokenizer MakeTokenizer()
    {
        var training = new BpeTraining
        {
            VocabularySize = _size.Vocabulary,
            MinFrequency = 2,
            SpecialTokens = SpecialTokens,
            Pattern = TrainingPattern.Gpt2,
        };
        var tokenizer = TrainTokenizer.Run(new TokenizerRequest { Sources = [Folder.Texts], Training = training }, cancel: _cancel);
        tokenizer.Save(Folder.Tokenizer, TrainTokenizer.Roles(SpecialTokens));
        return tokenizer;
    }

    /// <summary>3. A model of random weights.</summary>
    public ModelSpec MakeModel() =>
        InitModel.Run(new InitModelRequest { Shape = Folder.Shape, Tokenizer = Folder.Tokenizer, Output = Folder.Untrained, Force = true });

    /// <summary>4. The whole model learns general text: the base.</summary>
    public FinetuneResult Pretrain(Action<StepMetrics>? onStep = null) => Train(Folder.PretrainFile, onStep);

    /// <summary>What the base writes on from the beginning of a general text, by its likeliest words.</summary>
    public string WriteOn(string beginning)
    {
        using var loaded = ModelSource.Resolve(Folder.Base).Load(Devices.Of("auto"), ScalarType.Float32);
        var options = new GenerationOptions { MaxNewTokens = MaxNewTokens, EndTokens = loaded.EndTokens };
        var written = TextGenerator.Generate(loaded.Model, [loaded.Tokenizer.Encode(beginning, addSpecialTokens: true)], options, cancel: _cancel);
        return beginning + loaded.Tokenizer.Decode(written[0], skipSpecialTokens: true);
    }

    /// <summary>5. LoRA on the base: the task, with some general text mixed in.</summary>
    public FinetuneResult Tune(Action<StepMetrics>? onStep = null) => Train(Folder.LoraFile, onStep);

    /// <summary>6. The adapter is worked into the base.</summary>
    public MergeCheck MergeAdapter()
    {
        _cancel.ThrowIfCancellationRequested();
        return Merge.Run(ModelSource.Resolve(Folder.Lora), Folder.Merged, force: true, Devices.Of("auto"), _log);
    }

    /// <summary>7. Base, adapter and merged model on the same questions about tables that none of them has seen.</summary>
    public IReadOnlyList<EvaluationResult> EvaluateAll(Action<string, long, long>? onProgress = null)
    {
        var request = new EvaluateRequest
        {
            Targets = [ModelSource.Resolve(Folder.Base), ModelSource.Resolve(Folder.Lora), ModelSource.Resolve(Folder.Merged)],
            Data = [Folder.HeldOut],
            Answers = _size.HeldOut,
            MaxNewTokens = MaxNewTokens,
        };
        var results = Evaluate.Run(request, Devices.Of("auto"), ScalarType.Float32, _log, onProgress, _cancel);
        Evaluate.Write(Folder.Evaluation, request, results);
        string[] names = ["base", "adapter", "merged"];
        return [.. results.Zip(names, (result, name) => result with { Name = name })];
    }

    /// <summary>Held-out questions of different kinds, with the answers of the base and of the merged model.</summary>
    public IReadOnlyList<QuickstartSample> Samples(IReadOnlyList<EvaluationResult> results, int count)
    {
        // Answers come in the order of the file; the kind of a question shows in how its SQL begins.
        var chosen = _data.HeldOut.Index().DistinctBy(question => string.Join(' ', question.Item.Sql.Split(' ', '(')[..2])).Take(count);
        return [.. chosen.Select(q => new QuickstartSample(
            q.Item.Prompt, q.Item.Sql, results[0].Answers[q.Index].Generated.Trim(), results[^1].Answers[q.Index].Generated.Trim()))];
    }

    private FinetuneResult Train(string file, Action<StepMetrics>? onStep)
    {
        var result = Finetune.Run(RunConfig.Load(file), force: true, _log, onStep, cancel: _cancel);
        return result.Interrupted ? throw new OperationCanceledException(_cancel) : result;
    }
}

/// <summary>How many rows were made, and the first of them.</summary>
public sealed record QuickstartData(int Texts, int Chats, int Questions, int HeldOut, string Text, string Question, string Sql);
