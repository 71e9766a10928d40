using System.Text.Json.Nodes;
using LlmTune.Models;
using LlmTune.Tokenization;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>
/// What a folder needs beside its weights so that others use it as it was trained: tokenizer, chat template, and the tokens that end an
/// answer.
/// </summary>
internal sealed class ServingFiles
{
    private const int DocumentsLookedAt = 100;

    private readonly string _base;
    private readonly HfTokenizer _tokenizer;
    private readonly ChatTemplate? _template;
    private readonly bool _isSet;
    private readonly IReadOnlyList<int> _ends;

    /// <param name="baseModel">Folder of the model that was trained or adapted.</param>
    /// <param name="isSet">Whether the template is another than the model's own.</param>
    /// <param name="ends">Tokens that answers were trained to end with, beside the tokenizer's.</param>
    private ServingFiles(string baseModel, HfTokenizer tokenizer, ChatTemplate? template, bool isSet, IReadOnlyList<int> ends) =>
        (_base, _tokenizer, _template, _isSet, _ends) = (baseModel, tokenizer, template, isSet, ends);

    /// <summary>Of a run: the template that it used, and the token by which that closes answers, if rows train it.</summary>
    public static ServingFiles Of(RunPlan plan)
    {
        bool IsTrained(int token) => plan.Corpus.Training
            .SelectMany(documents => documents.Take(DocumentsLookedAt))
            .SelectMany(plan.Corpus.Sequences)
            .Any(row => row.Ids.Where((id, i) => id == token && row.Trained[i]).Any());
        var end = plan.Template is { } template ? EndOfTurn.Of(template, plan.Tokenizer) : null;
        return new ServingFiles(
            plan.Folder.Path, plan.Tokenizer, plan.Template, plan.Config.Model.ChatTemplate is not null, end is { } token && IsTrained(token) ? [token] : []);
    }

    /// <summary>
    /// Of an adapter: the ends that its generation_config.json names, which a run leaves there; without it nobody knows what was trained,
    /// and the token by which the template closes answers is taken.
    /// </summary>
    public static ServingFiles Of(ModelSource source, string baseModel, ILogger log)
    {
        var tokenizer = HfTokenizer.Load(source.Tokenizer);
        ChatTemplate? template = null;
        try
        {
            template = ChatTemplate.For(tokenizer, tokenizer.Folder);
        }
        catch (RequestException e)
        {
            log.Warning("the chat template is left as it is: {Problem}", e.Message);
        }
        IReadOnlyList<int> ends = source.Adapter is { } adapter && ModelFiles.ReadGeneration(adapter) is { } left ? SpecialTokenIds.Ends(left)
            : template is not null && EndOfTurn.Of(template, tokenizer) is { } end ? [end] : [];
        return new ServingFiles(baseModel, tokenizer, template, isSet: false, ends);
    }

    /// <summary>Completes a model's folder, which holds config.json and the tokenizer's files already.</summary>
    public void Complete(string model, ILogger log)
    {
        WriteTemplate(model, log);
        var config = ModelFiles.ReadConfig(model);
        var aligned = config.DeepClone().AsObject();
        WriteGeneration(model, aligned, log);
        if (SpecialTokenIds.Changes(config, aligned).ToList() is not { Count: > 0 } changes) return;
        ModelFiles.WriteConfig(model, aligned);
        log.Information("config.json now has {Changes}", string.Join(", ", changes));
    }

    /// <summary>Writes all of it beside an adapter, which has no config.json.</summary>
    public void WriteBeside(string adapter, ILogger log)
    {
        ModelFiles.CopyTokenizer(_tokenizer.Folder, adapter);
        WriteTemplate(adapter, log);
        WriteGeneration(adapter, ModelFiles.ReadConfig(_base), log);
    }

    private void WriteTemplate(string folder, ILogger log)
    {
        TokenizerFiles.NameTokens(folder, _tokenizer);
        if (_template is null) return;
        var named = _isSet ? new Dictionary<string, string>() : TemplateSources.Named(_tokenizer, _tokenizer.Folder);
        TokenizerFiles.WriteTemplate(folder, _template.Source, named, replaces: _isSet);
        log.Information("Chat template saved: {Template}", _template.Origin);
    }

    private void WriteGeneration(string folder, JsonObject config, ILogger log)
    {
        var before = ModelFiles.ReadGeneration(_base);
        var generation = before?.DeepClone().AsObject() ?? SpecialTokenIds.Generation(config);
        SpecialTokenIds.Align(config, generation, _tokenizer, _ends);
        ModelFiles.WriteGeneration(folder, generation);
        var ends = SpecialTokenIds.Ends(generation).Select(id => $"{_tokenizer.Token(id) ?? "?"} ({id})").ToList();
        var changes = SpecialTokenIds.Changes(before ?? [], generation).ToList();
        log.Information("Answers end at {Tokens}{Changes}",
            ends.Count > 0 ? string.Join(", ", ends) : "no token: neither the tokenizer nor the model names one",
            changes.Count > 0 ? $"; generation_config.json now has {string.Join(", ", changes)}" : "");
    }
}
