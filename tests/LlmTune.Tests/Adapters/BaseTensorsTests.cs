using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Recipes;
using Serilog.Core;

namespace LlmTune.Tests.Adapters;

/// <summary>
/// Adapters that bring tensors of the base: embeddings and heads saved beside them, also for another number of tokens. Losses are PEFT 0.21's,
/// from the same numbers, on a base that was resized before where that is needed.
/// </summary>
public sealed class BaseTensorsTests : IDisposable
{
    private const string Prefix = "base_model.model.", Embedding = Prefix + "model.embed_tokens.", Head = Prefix + "lm_head.";

    private static readonly int[] Ids = [1, 403, 407, 261, 378, 432, 383, 285, 324, 267, 400, 396, 2];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>What the folder holds, whether the base is tied, the tokens of the model that comes out, PEFT's loss.</summary>
    public static TheoryData<string, bool, int, double> Kinds => new()
    {
        { "plain", true, 512, 7.82129 },
        { "both", true, 512, 8.53618 },
        { "embed", true, 512, 8.53618 },
        { "head", true, 512, 8.53618 },
        { "differ", true, 512, 6.96462 },
        { "resized", true, 515, 8.53618 },
        { "shrunk", true, 500, 8.53618 },
        { "norm", true, 512, 4.81207 },
        { "copies", true, 515, 8.53618 },
        { "copies thrice", true, 515, 8.53618 },
        { "adapted ends", true, 515, 8.57256 },
        { "adapted embed", true, 512, 8.55058 },
        { "plain", false, 512, 7.82129 },
        { "both", false, 512, 8.53618 },
        { "embed", false, 512, 7.84883 },
        { "head", false, 512, 8.50626 },
        { "differ", false, 512, 7.04085 },
        { "resized", false, 515, 8.53618 },
        { "shrunk", false, 500, 8.53618 },
        { "norm", false, 512, 4.81207 },
        { "copies", false, 515, 8.53618 },
        { "adapted ends", false, 515, 8.57256 },
        { "adapted embed", false, 512, 7.86164 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void They_stand_in_the_base_s_place_as_PEFT_puts_them(string kind, bool tied, int vocabulary, double expected)
    {
        using var scope = NewDisposeScope();
        var folder = Base(tied);
        WriteAdapter(kind);
        using (var loaded = ModelSource.Resolve(_folder["adapter"], folder).Load(CPU, ScalarType.Float32))
        {
            Assert.Equal(vocabulary, loaded.Vocabulary);
            Close.Assert(expected, Loss(loaded.Model), kind, 1e-5);

            // What is written again is the same adapter.
            AdapterFolder.Write(_folder["again"], loaded.Adapters!, loaded.Model.Parts, folder);
            AdapterSet.Deactivate(loaded.Model.Parts);
            using var again = AdapterFolder.Load(_folder["again"], loaded.Model.Parts, CPU, trainable: true);
            again.Activate(loaded.Model.Parts);
            Close.Assert(expected, Loss(loaded.Model), "written again", 1e-5);
            Assert.All(again.Tensors, tensor => Assert.True(tensor.Tensor.Trainable, tensor.Name));
            Assert.All(again.BaseTensors, tensor => Assert.False(tensor.Tensor.Trainable));
        }
        Merge.Run(ModelSource.Resolve(_folder["adapter"], folder), _folder["merged"], force: false, CPU, Logger.None);
        var merged = ModelFolder.Open(_folder["merged"]);
        Assert.Equal(vocabulary, merged.Spec.Vocabulary);
        using var model = merged.Load(CPU, ScalarType.Float32);
        Close.Assert(expected, Loss(model), "merged", 1e-5);
    }

    [Fact]
    public void Tied_ends_that_come_with_the_adapter_stay_tied_when_they_are_merged()
    {
        WriteAdapter("resized");
        Merge.Run(ModelSource.Resolve(_folder["adapter"], Base(tied: true)), _folder["merged"], force: false, CPU, Logger.None);
        Assert.True(ModelFolder.Open(_folder["merged"]).Spec.TiedHead);
    }

    [Fact]
    public void What_is_said_names_the_tensors_and_a_head_that_is_not_the_embedding()
    {
        WriteAdapter("differ");
        using var model = ModelFolder.Open(Base(tied: true)).Load(CPU, ScalarType.Float32);
        using var set = AdapterFolder.Load(_folder["adapter"], model.Parts, CPU, trainable: false);
        Assert.Collection(
            set.Notes,
            note => Assert.StartsWith("base_model.model.lm_head.weight differs from the embedding, and the base ties both", note.Text, StringComparison.Ordinal),
            note => Assert.Equal("with the adapter comes what stands in the base's place: model.embed_tokens.weight, lm_head.weight", note.Text));
        Assert.True(set.Notes[0].IsWarning);

        WriteAdapter("resized");
        using var resized = AdapterFolder.Load(_folder["adapter"], model.Parts, CPU, trainable: false);
        Assert.Equal("the base is resized from 512 to 515 tokens, as the adapter was made for", resized.Notes[^1].Text);
    }

    [Fact]
    public void An_adapter_for_another_number_of_tokens_without_both_matrices_says_what_it_must_hold()
    {
        WriteAdapter("resized", tensors => tensors.Remove(Head + "weight"));
        var error = Assert.Throws<RequestException>(() => ModelSource.Resolve(_folder["adapter"], Base(tied: false)).Load(CPU, ScalarType.Float32));
        Assert.Contains(Embedding + "weight: shape (515, 64), the model needs (512, 64); where it was made for another number of tokens", error.Message, StringComparison.Ordinal);
    }

    /// <summary>stories260K, its tied head apart where asked for.</summary>
    private string Base(bool tied)
    {
        if (tied) return RealModels.Stories;
        var folder = Directory.CreateDirectory(_folder["base"]).FullName;
        ModelFiles.CopyBeside(RealModels.Stories, RealModels.Stories, folder);
        ModelFiles.WriteConfig(RealModels.Stories, folder, config => config["tie_word_embeddings"] = false);
        using var stored = SafetensorsFolder.Open(RealModels.Stories);
        SafetensorsWriter.Write(
            Path.Combine(folder, "model.safetensors"),
            stored.Tensors.Keys.Select(name => KeyValuePair.Create(name, stored.Alias(name))).Append(KeyValuePair.Create("lm_head.weight", stored.Alias(Decoder.EmbeddingWeight))));
        return folder;
    }

    private void WriteAdapter(string kind, Action<Dictionary<string, Tensor>>? change = null)
    {
        using var scope = NewDisposeScope();
        var tensors = new Dictionary<string, Tensor>();
        for (var layer = 0; layer < 5; layer++)
        {
            tensors[$"{Prefix}model.layers.{layer}.self_attn.q_proj.lora_A.weight"] = Wave(4, 64, layer);
            tensors[$"{Prefix}model.layers.{layer}.self_attn.q_proj.lora_B.weight"] = Wave(64, 4, layer + 0.5);
        }
        var config = new JsonObject { ["peft_type"] = "LORA", ["r"] = 4, ["lora_alpha"] = 8, ["target_modules"] = new JsonArray("q_proj"), ["init_lora_weights"] = true };
        switch (kind)
        {
            case "both": Ends(512, "weight"); break;
            case "embed": tensors[Embedding + "weight"] = Sized(512); break;
            case "head": tensors[Head + "weight"] = Sized(512); break;
            case "differ":
                Ends(512, "weight");
                tensors[Head + "weight"] = Sized(512) * 0.8;
                break;
            case "resized": Ends(515, "weight"); break;
            case "shrunk": Ends(500, "weight"); break;
            case "norm": tensors[Prefix + "model.norm.weight"] = Wave(1, 64, 2)[0] + 1; break;
            case "copies" or "copies thrice":
                Ends(515, "weight");
                config["modules_to_save"] = new JsonArray("embed_tokens", "lm_head");
                if (kind == "copies") break;
                Ends(515, "modules_to_save.weight");
                foreach (var end in (string[])[Embedding, Head]) tensors[end + "original_module.weight"] = zeros(515, 64);
                break;
            case "adapted ends":
                Ends(515, "base_layer.weight");
                AdaptEmbedding(515);
                tensors[Head + "lora_A.weight"] = Wave(4, 64, 9);
                tensors[Head + "lora_B.weight"] = Wave(515, 4, 10);
                config["target_modules"] = new JsonArray("q_proj", "embed_tokens", "lm_head");
                break;
            case "adapted embed":
                tensors[Embedding + "base_layer.weight"] = Sized(512);
                AdaptEmbedding(512);
                config["target_modules"] = new JsonArray("q_proj", "embed_tokens");
                break;
        }
        change?.Invoke(tensors);
        Directory.CreateDirectory(_folder["adapter"]);
        SafetensorsWriter.Write(Path.Combine(_folder["adapter"], AdapterFolder.WeightsName), tensors);
        File.WriteAllText(Path.Combine(_folder["adapter"], PeftConfig.FileName), config.ToJsonString());

        void Ends(int rows, string name)
        {
            foreach (var end in (string[])[Embedding, Head]) tensors[end + name] = Sized(rows);
        }

        void AdaptEmbedding(int rows)
        {
            tensors[Embedding + "lora_embedding_A"] = Wave(4, rows, 7);
            tensors[Embedding + "lora_embedding_B"] = Wave(64, 4, 8);
        }
    }

    /// <summary>Numbers by a formula that the script with PEFT has too: 0.05 sin(0.7 i + seed).</summary>
    private static Tensor Wave(int rows, int columns, double seed) =>
        tensor(Enumerable.Range(0, rows * columns).Select(i => (float)(Math.Sin((0.7 * i) + seed) * 0.05)).ToArray()).reshape(rows, columns);

    /// <summary>The base's embedding, somewhat larger, with so many rows.</summary>
    private static Tensor Sized(int rows)
    {
        using var stored = SafetensorsFolder.Open(RealModels.Stories);
        return cat([stored.Alias(Decoder.EmbeddingWeight), Wave(20, 64, 3)], 0).narrow(0, 0, rows) * 1.1;
    }

    /// <summary>Mean of −log p over the tokens.</summary>
    private static double Loss(Decoder model)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var context = model.Packed([.. Enumerable.Range(0, Ids.Length)], [0, Ids.Length]);
        var pass = new Pass(context);
        var logits = model.Logits(model.Forward(tensor(Ids, ScalarType.Int64, model.Device), pass), pass);
        return nn.functional.cross_entropy(logits.narrow(0, 0, Ids.Length - 1), tensor(Ids[1..], ScalarType.Int64)).ToDouble();
    }
}
